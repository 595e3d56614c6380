"""Metrics against scikit-learn, by hand, and where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from bincam.errors import InputError
from bincam.models import heads
from bincam.stats.calibration import BINS, calibrate, probability
from bincam.stats.class_counts import ClassCounts
from bincam.stats.classification import Counts, count, evaluate
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import OUTCOMES, cells
from bincam.stats.roc import ranking

RNG = np.random.default_rng(0)
LABELS = (RNG.random((500, 4)) < [0.1, 0.5, 0.8, 0.3]).astype(float)
LOGITS = np.round(LABELS + RNG.normal(size=LABELS.shape), 1)  # rounded: ties
THRESHOLD = np.array([0.0, 0.3, -0.2, 0.5])
COUNTS = ClassCounts(tuple("abcd"), (LABELS == 0).sum(0), (LABELS == 1).sum(0))


def test_equal_to_scikit_learn():
    found = evaluate(LOGITS, LABELS, THRESHOLD, COUNTS)
    for a in range(4):
        y, z, t = LABELS[:, a], LOGITS[:, a], THRESHOLD[a]
        said, p = z >= t, 1 / (1 + np.exp(-z))
        tn, fp, fn, tp = sk.confusion_matrix(y, said).ravel()
        assert found.fnr[a] == fn / (fn + tp)
        assert found.fpr[a] == fp / (fp + tn)
        assert found.accuracy[a] == pytest.approx(sk.accuracy_score(y, said))
        assert found.balanced_error[a] == pytest.approx(1 - sk.balanced_accuracy_score(y, said))
        assert found.auroc[a] == pytest.approx(sk.roc_auc_score(y, z))
        assert found.ap[a] == pytest.approx(sk.average_precision_score(y, z))
        assert found.brier[a] == pytest.approx(sk.brier_score_loss(y, p), abs=1e-8)
        bins = np.minimum((p * BINS).astype(int), BINS - 1)
        gaps = [abs(y[bins == b].mean() - p[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
        assert found.ece[a] == pytest.approx(sum(gaps), abs=1e-8)


def test_minority_and_majority_by_training_and_the_baseline():
    found = evaluate(LOGITS, LABELS, THRESHOLD, COUNTS)
    assert found.minority_error[0] == found.fnr[0]
    assert found.majority_error[0] == found.fpr[0]
    assert found.minority_error[2] == found.fpr[2]
    assert found.majority_error[2] == found.fnr[2]
    assert found.majority_baseline[2] == LABELS[:, 2].mean()
    removed = 1 - (1 - found.accuracy) / (1 - found.majority_baseline)
    assert found.baseline_removed == pytest.approx(removed)
    assert found.mean("fnr") == pytest.approx(found.fnr.mean())


def test_parts_add_up_in_any_order_to_the_whole():
    whole = count(LOGITS, LABELS, THRESHOLD)
    order = RNG.permutation(500)
    parts = [count(LOGITS[rows], LABELS[rows], THRESHOLD) for rows in np.array_split(order, 7)]
    total = sum(parts[1:], start=parts[0])
    for name in Counts.__dataclass_fields__:
        assert np.array_equal(getattr(total, name), getattr(whole, name)), name
    assert total.bin_images.sum() == 2000


def test_unknown_labels_and_nan_logits_are_left_out_and_counted():
    labels, logits = LABELS.copy(), LOGITS.copy()
    labels[:100] = np.nan
    logits[100:110, 1] = np.nan
    logits[:50, 1] = np.nan  # of unknown label: not missed
    found = evaluate(logits, labels, THRESHOLD, COUNTS)
    without = evaluate(LOGITS[110:], LABELS[110:], THRESHOLD, COUNTS)
    assert found.n.tolist() == [400, 390, 400, 400]
    assert found.undefined.tolist() == [0, 10, 0, 0]
    for name in ("fnr", "fpr", "auroc", "ap", "brier", "ece"):
        assert getattr(found, name)[1] == pytest.approx(getattr(without, name)[1], abs=1e-9)


def test_one_class_leaves_undefined_what_needs_the_other():
    found = evaluate([[1.0], [-1.0]], [[1.0], [1.0]], 0.0, ClassCounts(("a",), np.array([9]), np.array([1])))
    assert found.fnr[0] == found.minority_error[0] == 0.5
    for name in ("fpr", "majority_error", "balanced_error", "auroc", "ap"):
        assert np.isnan(getattr(found, name)[0]), name
    assert np.isnan(found.mean("fpr"))
    nothing = evaluate(np.zeros((0, 1)), np.zeros((0, 1)), 0.0, ClassCounts(("a",), np.array([9]), np.array([1])))
    assert nothing.n.tolist() == [0]
    assert np.isnan([nothing.accuracy[0], nothing.brier[0], nothing.ece[0]]).all()


def test_the_threshold_itself_counts_as_positive():
    counts = count([[0.5]], [[1.0]], 0.5)
    assert (counts.tp[0], counts.fn[0]) == (1, 0)


def test_a_margin_is_no_logit():
    labels = np.array([[1.0], [0.0]])
    assert evaluate([[1.0], [-1.0]], labels, 0.0, ClassCounts(("a",), [1], [1]), "margin").brier[0] == 0
    assert evaluate([[1.0], [-1.0]], labels, 0.0, ClassCounts(("a",), [1], [1])).brier[0] > 0.05


def test_shapes_and_labels_are_checked():
    with pytest.raises(InputError, match="row 1, attribute 0 is -1"):
        evaluate(np.zeros((2, 1)), [[1.0], [-1.0]], 0.0, ClassCounts(("a",), [1], [1]))
    with pytest.raises(InputError, match="2 attributes, and the training counts 4"):
        evaluate(np.zeros((2, 2)), np.zeros((2, 2)), 0.0, COUNTS)
    with pytest.raises(InputError, match="one shape"):
        evaluate(np.zeros((2, 3)), np.zeros((2, 2)), 0.0, COUNTS)


def test_training_and_audits_agree_also_where_logits_are_not_finite():
    logits, labels = LOGITS.copy(), LABELS.copy()
    logits[:3, 0], logits[3, 1], labels[:5, 2] = (np.inf, -np.inf, np.nan), np.inf, np.nan
    evaluated = evaluate(logits, labels, 0.0, COUNTS)
    clusters = Clusters.of([""] * 500)
    for a in range(4):
        kept = np.isfinite(logits[:, a]) & np.isfinite(labels[:, a])
        y, z = labels[kept, a], logits[kept, a]
        assert evaluated.n[a] == kept.sum()
        assert evaluated.undefined[a] == (np.isfinite(labels[:, a]) & ~kept).sum() == [3, 1, 0, 0][a]
        auroc, ap = ranking(logits[:, a], labels[:, a], clusters)
        calibrated = calibrate(probability(logits[:, a], "logits"), labels[:, a], clusters)
        for own, audited, exact in (
            (evaluated.auroc, auroc, sk.roc_auc_score(y, z)),
            (evaluated.ap, ap, sk.average_precision_score(y, z)),
            (evaluated.brier, calibrated.brier, sk.brier_score_loss(y, 1 / (1 + np.exp(-z)))),
        ):
            assert own[a] == pytest.approx(exact, abs=1e-8)
            assert audited.value == pytest.approx(exact, abs=1e-12)
            assert audited.images == kept.sum()
        assert evaluated.ece[a] == pytest.approx(calibrated.ece.value, abs=1e-8)
        cell = cells(labels[:, a], logits[:, a], np.zeros(500))
        assert [(cell == OUTCOMES.index(name)).sum() for name in ("FN", "FP")] == [
            round(rate * total)
            for rate, total in ((evaluated.fnr[a], (y == 1).sum()), (evaluated.fpr[a], (y == 0).sum()))
        ]


@pytest.mark.parametrize("head", ["logits", "margin"])
def test_probabilities_of_arrays_and_of_tensors_are_the_same(head):
    z = np.linspace(-40, 40, 401)
    np.testing.assert_allclose(probability(z, head), heads.probability(torch.from_numpy(z), head), rtol=1e-14)
    assert np.isnan(probability(np.array([np.nan, np.inf, -np.inf]), head)).all()
