"""Offsets that make predictions as frequent as labels, against enumeration, thresholds and planted offsets."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.postprocessing.offsets import differences, match_frequencies
from bincam.postprocessing.thresholds import tune


@pytest.mark.parametrize("K", [2, 3, 7, 18])
@pytest.mark.parametrize("seed", [0, 1])
def test_predictions_become_as_frequent_as_labels(K, seed):
    rng = np.random.default_rng(seed)
    shares = np.arange(1, K + 1) ** 2.0
    true = np.concatenate([np.arange(K), rng.choice(K, 600, p=shares / shares.sum())])
    scores = rng.normal(size=(len(true), K)) + 2 * np.eye(K)[true] + rng.normal(size=K) * 2  # planted offsets
    wanted = np.bincount(true, minlength=K)
    offsets = match_frequencies(scores, np.eye(K)[true])
    assert offsets.mean() == pytest.approx(0, abs=1e-12)
    before, after = differences(scores, wanted), differences(scores + offsets, wanted)
    assert before > 100
    assert after <= 2


def test_two_outputs_are_decided_as_by_the_threshold_of_equal_prevalence():
    rng = np.random.default_rng(3)
    labels = (rng.random(301) < 0.2).astype(float)
    z = rng.normal(size=301) + 2 * labels - 2
    scores = np.stack([np.zeros(301), z], 1)
    offsets = match_frequencies(scores, np.stack([1 - labels, labels], 1))
    threshold = tune(z[:, None], labels[:, None], "prevalence")[0]
    np.testing.assert_array_equal((scores + offsets).argmax(1), z >= threshold)
    assert offsets[0] - offsets[1] == pytest.approx(threshold)


def test_scores_that_match_already_keep_their_predictions():
    scores = np.eye(3)[[0, 0, 1, 2, 2]] * 3 + np.random.default_rng(0).normal(size=(5, 3)) * 0.1
    assert match_frequencies(scores, np.eye(3)[[0, 0, 1, 2, 2]]).tolist() == [0, 0, 0]


def test_a_constant_of_an_image_and_unusable_rows_change_nothing():
    rng = np.random.default_rng(1)
    true = np.repeat([0, 1, 2], [50, 30, 20])
    scores, labels = rng.normal(size=(100, 3)) + np.eye(3)[true], np.eye(3)[true]
    offsets = match_frequencies(scores, labels)
    np.testing.assert_allclose(match_frequencies(scores + rng.normal(size=(100, 1)), labels), offsets, atol=1e-6)
    more = np.concatenate([scores, [[np.nan, 0, 0], [0, 9, 0]]])
    unknown = np.concatenate([labels, [[1, 0, 0], [np.nan] * 3]])
    np.testing.assert_allclose(match_frequencies(more, unknown), offsets, atol=1e-12)


def test_an_output_without_images_leaves_the_offsets_undefined():
    assert np.isnan(match_frequencies(np.zeros((4, 3)), np.eye(3)[[0, 0, 1, 1]])).all()


def test_equal_scores_cannot_be_told_apart():
    assert np.isfinite(match_frequencies(np.zeros((4, 2)), np.eye(2)[[0, 0, 1, 1]])).all()


def test_shapes_that_differ_are_refused():
    with pytest.raises(InputError, match=r"one shape \(N, K\), got \(4, 3\) and \(4, 2\)"):
        match_frequencies(np.zeros((4, 3)), np.eye(2)[[0, 0, 1, 1]])
