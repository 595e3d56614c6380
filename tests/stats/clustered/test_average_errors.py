"""Mean errors over attributes and their paired differences: against numpy, with their coverage, and of few people."""

import numpy as np
import pytest

from bincam.stats.clustered.average_errors import AverageErrors, average_errors
from bincam.stats.clusters import Clusters

NAMES = ("A", "B", "C")


def drawn(rng, images=400, people=130, rates=(0.3, 0.2)):
    """Labels of three attributes, and the errors of two answers that share what is hard about a person."""
    person = rng.integers(0, people, images)
    label = (rng.random((images, 3)) < 0.25).astype(float)
    hard = rng.normal(size=(people, 3))[person]
    cuts = [np.quantile(rng.normal(size=20_000) * np.sqrt(2), 1 - rate) for rate in rates]
    wrong = np.stack([(hard + rng.normal(size=hard.shape) > cut).astype(float) for cut in cuts])
    return wrong, label, Clusters(np.unique(person, return_inverse=True)[1], known=True)


def test_means_are_those_of_the_classes_and_pairs_are_of_the_same_images():
    wrong, label, clusters = drawn(np.random.default_rng(0))
    label[:5, 0], wrong[1, 7, 2] = np.nan, np.nan
    wrong[:, :5, 0] = np.nan
    found = average_errors(wrong, label, [1, -1, 1], NAMES, clusters, [(0, 1)])
    for part, sides in (("minority", (1, 0, 1)), ("majority", (0, 1, 0))):
        inside = [label[:, a] == side for a, side in enumerate(sides)]
        for m in (0, 1):
            expected = np.mean([np.nanmean(wrong[m, inside[a], a]) for a in range(3)])
            assert found.rates[part][m].value == pytest.approx(expected)
        expected = np.mean([np.nanmean((wrong[0] - wrong[1])[inside[a], a]) for a in range(3)])
        assert found.differences[part][0].value == pytest.approx(expected)
    assert found.attributes == NAMES
    assert AverageErrors.from_json(found.to_json()) == found


def test_attributes_of_too_few_images_are_left_out_and_named():
    wrong, label, clusters = drawn(np.random.default_rng(1))
    label[np.flatnonzero(label[:, 1])[6:], 1] = 0  # six positives
    found = average_errors(wrong, label, [1, 1, 1], NAMES, clusters, [(0, 1)])
    assert (found.attributes, found.left_out) == (("A", "C"), ("B",))
    assert found.rates["minority"][0].status == "ok"
    few = average_errors(wrong[:, :30], label[:30], [1, 1, 1], NAMES, Clusters.of([""] * 30), [(0, 1)])
    assert few.attributes == NAMES
    assert few.rates["minority"][0].status == "small"


def test_an_answer_that_one_attribute_lacks_has_no_mean():
    wrong, label, clusters = drawn(np.random.default_rng(2))
    wrong[1, :, 2] = np.nan
    found = average_errors(wrong, label, [1, 1, 1], NAMES, clusters, [(0, 1)])
    assert found.rates["minority"][0].defined
    assert not found.rates["minority"][1].defined
    assert not found.differences["majority"][0].defined


def test_intervals_of_paired_differences_cover():
    rng = np.random.default_rng(3)
    true, hits, runs = 0.1, 0, 200
    for _ in range(runs):
        wrong, label, clusters = drawn(rng, images=240, people=80)
        difference = average_errors(wrong, label, [1, 1, 1], NAMES, clusters, [(0, 1)]).differences["minority"][0]
        hits += difference.low <= true <= difference.high
    assert hits / runs > 0.91
