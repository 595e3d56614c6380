from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from bincam.data.describe import phi


def test_phi_is_matthews_correlation_over_the_rows_where_both_are_known():
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 4)) < [0.1, 0.4, 0.5, 0.9]).astype(np.float32)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    got = phi(labels)
    for i in range(4):
        for j in range(4):
            both = ~np.isnan(labels[:, i]) & ~np.isnan(labels[:, j])
            assert got[i, j] == pytest.approx(matthews_corrcoef(labels[both, i], labels[both, j]), abs=1e-9)


def test_phi_of_a_constant_is_undefined():
    labels = np.array([[1, 0], [1, 1]], np.float32)
    assert np.isnan(phi(labels)[0]).all()
    assert phi(labels)[1, 1] == 1
    assert np.isnan(phi(np.full((3, 1), np.nan, np.float32))).all()


def test_counts_minority_and_imbalance_by_hand(table):
    labels = np.zeros((12, 3), np.float32)
    labels[:3, 0] = 1  # 3 of 12
    labels[:6, 1] = 1  # half
    labels[:, 2] = 1  # all
    labels[0, 0] = np.nan
    whole = replace(table, labels=labels).describe().splits[0]
    assert whole.minority == ("positive", "neither", "negative")
    assert whole.positives.tolist() == [2, 6, 12]
    assert whole.unknown.tolist() == [1, 0, 0]
    np.testing.assert_allclose(whole.prevalence, [2 / 11, 0.5, 1])
    np.testing.assert_allclose(whole.imbalance, [4.5, 1, np.nan])
    assert whole.identities == 6


def test_splits_are_described_apart_and_the_json_has_no_nan(table):
    description = table.describe()
    assert [(s.name, s.count) for s in description.splits] == [
        ("all", 12),
        ("train", 4),
        ("validation", 4),
        ("test", 4),
    ]
    text = json.dumps(description.to_json(), allow_nan=False)
    assert json.loads(text)["kind"] == "bincam-description"


def test_identities_that_cross_splits_are_listed(table):
    assert table.describe().crossing == {}
    identities = table.identities.copy()
    identities[[0, 11]] = "7"
    identities[[1, 5]] = ""  # unknown crosses nothing
    assert replace(table, identities=identities).describe().crossing == {"7": ("train", "test")}
    assert replace(table, identities=None).describe().crossing == {}
