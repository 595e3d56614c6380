"""Clusters of people, and the cells of images that figures rest on."""

import numpy as np

from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import CELLS, basic_name, cells


def test_unknown_people_are_each_somebody_of_their_own():
    clusters = Clusters.of(["a", "", "a", "", "b"])
    assert clusters.known
    assert clusters.count == 4
    assert clusters.codes[0] == clusters.codes[2]
    assert clusters.identities(np.array([[1], [1], [1], [0], [0]], bool)).tolist() == [2]
    assert not Clusters.of(["", ""]).known
    assert Clusters.of([]).count == 0


def test_cells_follow_labels_and_logits_and_a_logit_at_its_threshold_is_positive():
    label = np.array([1, 0, 1, 0, np.nan, np.nan, 1])
    logit = np.array([0.5, 0.5, 0.4, 0.4, 0.5, 0.4, np.nan])
    assert [CELLS[c] if c >= 0 else "" for c in cells(label, logit, np.full(7, 0.5))] == [*CELLS[:4], "P?", "N?", ""]
    assert basic_name("true:minority", 1) == "true:positive"
    assert basic_name("predicted:majority", 1) == "predicted:negative"
    assert basic_name("outcome:TP", -1) == "outcome:TP"
