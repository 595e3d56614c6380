"""What is said of another pooling: better, worse, neither or nothing, and never that the model was trained for it."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.report.sections.cells.poolings import SAID, pooling_sentence
from bincam.stats import Clusters
from bincam.stats.clustered.paired_scores import ScoreComparison, compare_scores

LABELS = np.repeat([1.0, 0.0], 100)


def compared(first_errors: int, second_errors: int) -> ScoreComparison:
    """Scores with some errors in each class."""
    scores = []
    for errors in (first_errors, second_errors):
        wrong = np.tile(np.arange(100) < errors, 2)
        scores.append(np.where(wrong, 1 - 2 * LABELS, 2 * LABELS - 1))
    return compare_scores(*scores, LABELS, Clusters.of([""] * 200), thresholds=(0.0, 0.0))


@pytest.mark.parametrize(
    ("errors", "said", "figures"),
    [
        ((40, 10), "answered better", "balanced error 10 %, −30 points ["),
        ((10, 40), "answered worse", "balanced error 40 %, +30 points ["),
        ((20, 19), "neither better nor worse for certain", "balanced error 19 %, −1 points ["),
    ],
)
def test_the_interval_decides_what_is_said(errors: tuple[int, int], said: str, figures: str) -> None:
    sentence = pooling_sentence("Bald", "top_10", compared(*errors)).replace("\u202f", " ")
    assert said in sentence
    assert figures in sentence
    assert "against that of their mean" in sentence
    assert "200 images" in sentence
    assert sentence.endswith("; the model was not trained for it.")
    assert "best 10" in sentence


def test_nothing_is_said_without_figures() -> None:
    one_class = compare_scores(LABELS, LABELS, np.ones(200), Clusters.of([""] * 200), thresholds=(0.0, 0.0))
    assert "cannot be compared" in pooling_sentence("Bald", "max", one_class)
    assert "no other pooling" in pooling_sentence("Bald", "mean", compared(10, 10))


def test_every_pooling_has_words() -> None:
    from bincam.postprocessing.cell_pooling import POOLED

    assert set(SAID) == set(POOLED) - {"mean"}
