"""Missed images by the share of the cells that the object covers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bincam.audit.summary.cells.dilution import dilution
from bincam.audit.summary.cells.poolings import PooledLogits, attribute_poolings
from bincam.stats.clusters import Clusters


def test_the_rank_statistic_is_the_auroc_of_smallness():
    rng = np.random.default_rng(0)
    share, missed = rng.integers(1, 9, 200) / 49, rng.integers(0, 2, 200).astype(float)
    found = dilution(share, missed, Clusters.of([""] * 200))
    assert found["smaller"]["value"] == pytest.approx(roc_auc_score(missed, -share))
    assert found["smaller"]["low"] < 0.5 < found["smaller"]["high"]
    assert sum(part["images"] for part in found["bins"]) == 200
    ends = [(part["from"], part["to"]) for part in found["bins"]]
    assert all(high < low for (_, high), (low, _) in pairwise(ends))


def test_images_without_a_foreground_or_a_decision_are_left_out():
    share, missed = np.array([0.1, np.nan, 0.2, 0.3]), np.array([1.0, 1.0, np.nan, 0.0])
    found = dilution(share, missed, Clusters.of([""] * 4))
    assert [part["images"] for part in found["bins"]] == [1, 1]
    nothing = dilution(np.full(4, np.nan), missed, Clusters.of([""] * 4))
    assert nothing["bins"] == []
    assert nothing["smaller"]["value"] is None


def test_a_pooling_is_chosen_on_the_reference_split_and_judged_on_the_test():
    labels = np.repeat([1.0, 0.0], 40).astype(np.float32)
    sign, odd = 2 * labels - 1, np.arange(80) % 4 == 0
    logits = np.stack([np.where(odd, -sign, sign), 3 * sign + 5], 1)[:, None].astype(np.float32)
    clusters = Clusters.of([""] * 80)
    pooled = PooledLogits(("Bald",), ("mean", "max"), logits, logits, labels[:, None])
    found = attribute_poolings(pooled, "Bald", labels, 0.0, clusters)
    assert found["best"] == "max"
    assert found["compared"]["max"]["balanced_error"]["value"] == 0
    assert found["compared"]["max"]["balanced_error"]["low"] == 0  # a share is not below 0
    assert found["compared"]["max"]["balanced_error_gain"]["low"] > 0.1
    worse = np.stack([sign, 3 * np.where(odd, -sign, sign) + 5], 1)[:, None].astype(np.float32)
    twin = attribute_poolings(replace(pooled, audited=worse), "Bald", labels, 0.0, clusters)
    assert twin["best"] == "max"  # on the reference split, and the test says that it was no better
    assert twin["compared"]["max"]["balanced_error_gain"]["high"] < -0.1
    one_class = PooledLogits(("Bald",), ("mean", "max"), logits, logits, np.ones((80, 1), np.float32))
    assert "both classes" in attribute_poolings(one_class, "Bald", labels, 0.0, clusters)["reason"]
