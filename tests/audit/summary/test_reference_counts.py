"""What the references of a large set's rows rest on, against the variance of the mean that they stand for."""

import numpy as np
import pytest

from bincam.audit.folder.manifest import ReferenceData
from bincam.audit.summary.sets.reference_counts import of_rows

OUTPUTS = ("a", "b", "c")
COUNTS = {"a": (80, 20), "b": (95, 5), "c": (100, 0), "Male": (50, 50)}


def fitted(**changes):
    return ReferenceData(split=["train"], images=100, digest="", counts=COUNTS, **changes)


def test_the_number_is_that_of_a_mean_with_the_same_variance():
    rng = np.random.default_rng(0)
    rows = np.repeat([0, 1], [30, 10])
    positive = of_rows(fitted(), {"x: true": rows}, OUTPUTS).counts["x: true"][1]
    draws = [np.mean([rng.normal(size=20).mean()] * 30 + [rng.normal(size=5).mean()] * 10) for _ in range(4000)]
    assert positive == pytest.approx(1 / np.var(draws), rel=0.08)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([0, 0, 0], (80, 20)), ([1], (95, 5)), ([2, 2, -1], (0, 0)), ([2, 0, -1], (80, 20)), ([], (0, 0))],
)
def test_of_one_output_it_is_its_own_and_outputs_without_an_image_are_left_out(rows, expected):
    with_rows = of_rows(fitted(people=COUNTS), {"x: true": np.array(rows, int)}, OUTPUTS)
    assert with_rows.counts["x: true"] == with_rows.people["x: true"] == expected
    assert with_rows.counts["Male"] == (50, 50)


def test_without_references_or_with_those_of_attributes_alone_nothing_is_counted():
    assert of_rows(None, {"x: true": np.array([0])}, OUTPUTS) is None
    assert "x: true" not in of_rows(fitted(), {"x: true": np.array([0])}, ("a", "other")).counts
