"""Scores use one threshold for all images, misses are counted, and intervals are clustered."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.metrics import Overlaps, best_level, box_scores, hit_rate
from bincam.metrics.localization.boxes.overlaps import NO_BOX, NO_EVIDENCE, NO_TRUTH
from bincam.metrics.localization.boxes.scores import ORACLE, pooled
from bincam.stats import Clusters

LEVELS = np.array([0.1, 0.2, 0.6])


def overlaps_of(one, several=None, status=None):
    curves = np.asarray(one, float)
    more = curves if several is None else np.asarray(several, float)
    states = np.zeros(len(curves)) if status is None else status
    return Overlaps(LEVELS, curves, more, np.asarray(states, np.int8))


def alone(n):
    return Clusters.of([""] * n)


def test_an_image_does_not_count_because_some_threshold_hits_it():
    """The classic mistake: every image is hit at its own threshold, and no threshold hits more than a third of them."""
    curves = np.tile(np.eye(3) * 0.9, (10, 1))
    assert (curves.max(1) >= 0.5).all()  # what the mistake would call 1
    scores = box_scores(overlaps_of(curves), alone(30))
    assert scores.max_box_acc.value == pytest.approx(1 / 3)
    assert scores.v2.value == pytest.approx(1 / 3)


def test_thresholds():
    curves = [[0.9, 0.4, 0.1], [0.9, 0.6, 0.1], [0.2, 0.4, 0.8], [0.8, 0.1, 0.1]]
    reference = overlaps_of([[0.1, 0.2, 0.9], [0.1, 0.9, 0.9]])
    scores = box_scores(overlaps_of(curves), alone(4), chosen_level=best_level(reference))
    assert scores.fixed.value == 0.25
    assert scores.max_box_acc.value == 0.75
    assert scores.max_level == 0.1
    assert scores.chosen.value == 0.25
    assert scores.chosen_level == 0.6
    assert ORACLE in scores.max_box_acc.method
    assert ORACLE in scores.v2.method
    assert ORACLE not in scores.fixed.method + scores.chosen.method


def test_the_second_version_has_a_threshold_for_each_delta():
    several = [[0.4, 0.2, 0.1], [0.4, 0.6, 0.8], [0.4, 0.6, 0.1]]  # best: all at .1, two at .2, one at .6
    scores = box_scores(overlaps_of(np.zeros((3, 3)), several), alone(3))
    assert scores.v2.value == pytest.approx((1 + 2 / 3 + 1 / 3) / 3)
    assert scores.v2_levels == (0.1, 0.2, 0.6)
    assert scores.max_box_acc.value == 0  # is of the one box


def test_misses_and_negatives():
    nan = [np.nan] * 3
    given = overlaps_of([[0.9] * 3, nan, nan, [0.9] * 3], status=[0, NO_BOX, NO_TRUTH, NO_EVIDENCE])
    scores = box_scores(given, alone(4))
    assert scores.fixed.value == scores.v2.value == pytest.approx(2 / 3)
    assert scores.fixed.images == scores.images == 3
    assert (scores.no_box, scores.no_truth, scores.no_evidence) == (1, 1, 1)


def test_top_1_needs_the_decision_too():
    given = overlaps_of([[0.9] * 3, [0.9] * 3, [0.1] * 3])
    known, top_1 = box_scores(given, alone(3)), box_scores(given, alone(3), decided=[True, False, True])
    assert known.fixed.value == pytest.approx(2 / 3)
    assert top_1.fixed.value == top_1.max_box_acc.value == top_1.v2.value == pytest.approx(1 / 3)
    assert top_1.images == 3  # an image that was missed stays in the rate


def test_without_a_true_box_everything_is_undefined():
    scores = box_scores(overlaps_of([[np.nan] * 3] * 2, status=[NO_TRUTH] * 2), alone(2), chosen_level=0.2)
    for estimate in (scores.fixed, scores.chosen, scores.max_box_acc, scores.v2):
        assert estimate.status == "undefined"
    assert np.isnan([scores.max_level, *scores.v2_levels]).all()
    json.dumps(scores.to_json(), allow_nan=False)
    with pytest.raises(InputError, match="no image with a true box"):
        best_level(overlaps_of([[np.nan] * 3], status=[NO_TRUTH]))


def test_people_widen_the_interval():
    curves = np.repeat(np.random.default_rng(0).random((20, 1)), 5, axis=0).repeat(3, axis=1)
    people = Clusters(np.repeat(np.arange(20), 5), known=True)
    apart, together = (box_scores(overlaps_of(curves), c) for c in (alone(100), people))
    for name in ("fixed", "max_box_acc", "v2"):
        a, b = getattr(apart, name), getattr(together, name)
        assert a.value == b.value
        assert b.high - b.low > 1.3 * (a.high - a.low)
        assert b.identities == 20


def test_one_level_for_all_attributes():
    """A reference of two attributes is pooled: three images of four are hit at .2."""
    curves = np.array([[[0.9, 0.9, 0.1], [0.1, 0.9, 0.9]], [[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]]])
    reference = Overlaps(LEVELS, curves, curves, np.zeros((2, 2), np.int8))
    assert best_level(reference) == 0.2
    assert best_level(reference.attribute(0)) == 0.1


def test_batches_are_joined():
    first, second = overlaps_of([[0.9] * 3]), overlaps_of([[0.1] * 3], status=[NO_EVIDENCE])
    joined = pooled([first, second])
    assert joined.one.tolist() == [[0.9] * 3, [0.1] * 3]
    assert joined.status.tolist() == [0, NO_EVIDENCE]
    with pytest.raises(InputError, match="different levels"):
        pooled([first, Overlaps(np.array([0.2]), np.ones((1, 1)), np.ones((1, 1)), np.zeros(1, np.int8))])
    with pytest.raises(InputError, match="no batches"):
        pooled([])


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="of one attribute"):
        box_scores(overlaps_of([[0.9] * 3]), alone(2))
    with pytest.raises(InputError, match="decisions are of 1 images"):
        box_scores(overlaps_of([[0.9] * 3]), alone(1), decided=[True, False])
    with pytest.raises(InputError, match=r"level 0.35 was not measured"):
        box_scores(overlaps_of([[0.9] * 3]), alone(1), chosen_level=0.35)


def test_a_rate_has_its_number():
    assert hit_rate([1, 1, 0, np.nan], alone(4)).images == 3
    assert hit_rate([np.nan], alone(1)).status == "undefined"
