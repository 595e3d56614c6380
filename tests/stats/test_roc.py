"""AUROC, average precision and calibration against scikit-learn, and derivatives of its weighted scores."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from bincam.stats.calibration import calibrate, probability, unshifted
from bincam.stats.clustered.contributions import corrected
from bincam.stats.clustered.delong import auroc_contributions, precision_contributions
from bincam.stats.clusters import Clusters
from bincam.stats.intervals import wilson
from bincam.stats.roc import ranking


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    label = (rng.random(300) < 0.3).astype(float)
    logit = np.round(rng.normal(size=300) + label, 1)  # with ties
    return logit, label, Clusters(np.repeat(np.arange(100), 3), True)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("contributions", "score"),
    [(auroc_contributions, roc_auc_score), (precision_contributions, average_precision_score)],
)
def test_contributions_are_the_derivatives_by_an_images_weight(scored, tied, contributions, score):
    logit, label = (part[:80] for part in scored[:2])
    if not tied:
        logit = logit + np.linspace(0, 0.05, 80)
    step, weights = 1e-5, np.eye(80)
    numeric = [
        (score(label, logit, sample_weight=1 + step * w) - score(label, logit, sample_weight=1 - step * w)) / (2 * step)
        for w in weights
    ]
    found = contributions(logit, label > 0)
    np.testing.assert_allclose(found, numeric, atol=1e-9)
    assert found.sum() == pytest.approx(0, abs=1e-12)


def test_without_clusters_the_variance_is_delongs_by_hand():
    # Positives 3, 5, negatives 1, 2, 4: placements of positives 2/3, 1, of negatives 1, 1, 1/2, AUROC 5/6.
    scores, positive = np.array([3.0, 5, 1, 2, 4]), np.array([True, True, False, False, False])
    by_hand = np.var([2 / 3, 1], ddof=1) / 2 + np.var([1, 1, 0.5], ddof=1) / 3
    found = auroc_contributions(scores, positive)
    share = np.where(positive, 1 / 2, 1 / 3)
    assert (corrected(found, share) ** 2).sum() == pytest.approx(by_hand)  # CR2 gives DeLong's divisors m - 1 and n - 1


def test_an_area_of_one_leaves_room_for_errors():
    label = np.repeat([1.0, 0.0], [30, 200])
    auroc, precision = ranking(label * 2 - 1, label, Clusters.of([""] * 230))
    for one in (auroc, precision):
        assert one.value == one.high == 1
        assert one.low == pytest.approx(wilson(1.0, 30)[0])
    people = Clusters(np.concatenate([np.repeat(np.arange(10), 3), np.repeat(np.arange(10, 30), 10)]), True)
    assert ranking(label, label, people)[0].low < auroc.low
    tied = ranking(np.zeros(230), label, Clusters.of([""] * 230))[0]
    assert tied.value == 0.5
    assert tied.low < 0.4
    assert tied.high > 0.6


def test_figures_are_scikit_learns_and_lie_in_their_intervals(scored):
    logit, label, clusters = scored
    auroc, precision = ranking(logit, label, clusters)
    assert auroc.value == pytest.approx(roc_auc_score(label, logit))
    assert precision.value == pytest.approx(average_precision_score(label, logit))
    assert auroc.low < auroc.value < auroc.high
    assert (auroc.images, auroc.identities, auroc.status) == (300, 100, "ok")


def test_one_class_alone_has_no_ranking(scored):
    logit, label, clusters = scored
    auroc, precision = ranking(logit, np.ones_like(label), clusters)
    assert auroc.status == precision.status == "undefined"
    few = np.zeros_like(label)
    few[:5] = 1
    assert ranking(logit, few, clusters)[0].status == "small"


def test_nan_logits_are_left_out_and_counted(scored):
    logit, label, clusters = scored
    broken = logit.copy()
    broken[:30] = np.nan
    auroc, _ = ranking(broken, label, clusters)
    assert auroc.value == pytest.approx(roc_auc_score(label[30:], logit[30:]))
    assert auroc.images == 270
    found = calibrate(probability(broken, "logits"), label, clusters)
    assert found.brier.images == 270


def test_calibration_is_scikit_learns(scored):
    logit, label, clusters = scored
    p = probability(logit, "logits")
    found = calibrate(p, label, clusters)
    rate, mean = calibration_curve(label, p, n_bins=15)
    np.testing.assert_allclose([one["positive_rate"] for one in found.bins], rate)
    np.testing.assert_allclose([one["mean_probability"] for one in found.bins], mean)
    images = np.array([one["images"] for one in found.bins])
    assert found.ece.value == pytest.approx((images * np.abs(rate - mean)).sum() / 300)
    assert found.brier.value == pytest.approx(brier_score_loss(label, p))
    assert np.isnan([found.ece.low, found.ece.high]).all()
    assert found.brier.low < found.brier.value < found.brier.high


def test_undoing_the_shift_calibrates_a_shifted_model():
    rng = np.random.default_rng(3)
    odds = rng.normal(size=4000) * 1.5
    label = (rng.random(4000) < 1 / (1 + np.exp(-odds))).astype(float)
    clusters = Clusters.of([""] * 4000)
    shifted = odds + 2.0
    before = calibrate(probability(shifted, "logits"), label, clusters).ece.value
    undone, reason = unshifted(shifted, 2.0, "logits")
    assert reason == ""
    assert before > 0.2
    assert calibrate(undone, label, clusters).ece.value < 0.03


def test_what_the_card_fitted_is_used_where_no_shift_is_known():
    z = np.array([-1.0, 0.5, np.inf])
    for head in ("logits", "margin"):
        p, reason = unshifted(z, None, head, (2.0, -1.0))
        assert reason == ""
        np.testing.assert_allclose(p, [1 / (1 + np.exp(3.0)), 0.5, np.nan])


def test_an_unknown_shift_is_undefined_with_its_reason():
    clusters = Clusters.of([""] * 3)
    for shift, head, expected in (
        (None, "logits", "neither logit shift nor calibration"),
        (1.0, "margin", "no log-odds"),
    ):
        p, reason = unshifted(np.zeros(3), shift, head)
        assert expected in reason
        assert calibrate(p, np.ones(3), clusters).ece.status == "undefined"


def test_a_margin_is_half_its_distance_from_minus_one():
    assert probability(np.array([-3.0, -1, 0, 1, 2]), "margin").tolist() == [0, 0, 0.5, 1, 1]
