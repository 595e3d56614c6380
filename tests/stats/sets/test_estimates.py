"""Estimates of sets: their values are those without intervals, and their intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from bincam.errors import InputError
from bincam.stats import Clusters, ranking
from bincam.stats.sets.estimates import confusion_shares, estimate_set, top_k_accuracy
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.metrics import evaluate_set
from bincam.stats.sets.scores import log_odds
from tests.stats.sets.test_metrics import drawn


def alone(n: int) -> Clusters:
    return Clusters.of([""] * n)


@pytest.mark.parametrize("clusters", [alone(400), Clusters(np.arange(400) // 4, known=True)])
@pytest.mark.parametrize("K", [2, 5])
def test_values_are_those_without_intervals(K, clusters):
    scores, labels, _ = drawn(K=K)
    scores[5, 0] = np.nan
    labels[7] = np.nan
    trained = np.arange(K, 0, -1) * 10
    result, plain = estimate_set(scores, labels, trained, clusters), evaluate_set(scores, labels, trained)
    for name in ("accuracy", "balanced_accuracy", "macro_auroc", "minority_error", "majority_error"):
        own = getattr(result, name)
        assert own.value == pytest.approx(getattr(plain, name), abs=1e-6), name
        assert own.low <= own.value <= own.high
        assert (own.identities is None) == (not clusters.known)
    for name in ("miss_rate", "false_alarm_rate", "auroc"):
        assert [one.value for one in getattr(result, name)] == pytest.approx(getattr(plain, name).tolist(), abs=1e-6)
    np.testing.assert_array_equal(result.confusion, plain.confusion)
    assert (result.unknown, result.undefined) == (1, 1)
    assert result.accuracy.images == 398


def test_rates_of_independent_images_have_wilsons_interval():
    scores, labels, true = drawn()
    result = estimate_set(scores, labels, labels.sum(0), alone(400))
    predicted = scores.argmax(1)
    for a in range(5):
        wrong, images = int(((true == a) & (predicted != a)).sum()), int((true == a).sum())
        low, high = proportion_confint(wrong, images, method="wilson")
        assert (result.miss_rate[a].low, result.miss_rate[a].high) == pytest.approx((low, high), abs=1e-6)
        alarms = int(((true != a) & (predicted == a)).sum())
        low, high = proportion_confint(alarms, 400 - images, method="wilson")
        assert (result.false_alarm_rate[a].low, result.false_alarm_rate[a].high) == pytest.approx((low, high), abs=1e-6)


def test_the_auroc_of_an_output_is_that_of_a_yes_or_no_attribute():
    scores, labels, _ = drawn()
    people = Clusters(np.arange(400) // 4, known=True)
    result = estimate_set(scores, labels, labels.sum(0), people)
    for a in range(5):
        own = ranking(log_odds(scores)[:, a], labels[:, a], people)[0]
        assert (result.auroc[a].value, result.auroc[a].low, result.auroc[a].high) == pytest.approx(
            (own.value, own.low, own.high), abs=1e-12
        )
        assert result.auroc[a].status == own.status


def test_a_set_of_two_has_the_auroc_of_one_attribute():
    scores, labels, _ = drawn(K=2)
    result = estimate_set(scores, labels, labels.sum(0), alone(400))
    own = result.auroc[1]
    assert (result.macro_auroc.value, result.macro_auroc.low, result.macro_auroc.high) == pytest.approx(
        (own.value, own.low, own.high), abs=1e-9
    )


def test_images_of_one_person_count_less():
    scores, labels, _ = drawn(100)
    fourfold = [np.repeat(values, 4, axis=0) for values in (scores, labels)]
    apart = estimate_set(*fourfold, labels.sum(0), alone(400))
    people = estimate_set(*fourfold, labels.sum(0), Clusters(np.repeat(np.arange(100), 4), known=True))
    for name in ("accuracy", "balanced_accuracy", "macro_auroc", "minority_error"):
        first, second = getattr(apart, name), getattr(people, name)
        assert first.value == pytest.approx(second.value)
        assert second.high - second.low > 1.5 * (first.high - first.low)


def test_one_proportion_is_a_mean_of_one_rate():
    wrong, true = np.repeat([1.0, 0.0], [30, 170]), np.zeros(200, int)
    mean = mean_rate(wrong, true, [0], alone(200))
    low, high = proportion_confint(30, 200, method="wilson")
    assert (mean.low, mean.high) == pytest.approx((low, high), abs=0.003)


def test_no_error_in_any_output_leaves_room_for_one():
    true = np.repeat([0, 1, 2], [300, 30, 30])
    for clusters in (alone(360), Clusters(np.arange(360) // 3, known=True)):
        mean = mean_rate(np.zeros(360), true, [0, 1, 2], clusters)
        assert (mean.value, mean.low) == (0, 0)
        assert 0.02 < mean.high < 0.2


def test_a_small_or_absent_output_shows_in_the_status():
    labels = np.eye(3)[np.repeat([0, 1], [60, 10])]
    result = estimate_set(labels, labels, [60, 10, 1], alone(70))
    assert result.balanced_accuracy.status == "small"
    assert result.miss_rate[2].status == "undefined"
    assert result.auroc[2].status == "undefined"
    assert result.majority_error.status == "ok"
    assert result.minority_error.status == "small"
    nobody = estimate_set(labels, np.full((70, 3), np.nan), [60, 10, 1], alone(70))
    assert {nobody.accuracy.status, nobody.balanced_accuracy.status, nobody.macro_auroc.status} == {"undefined"}
    assert nobody.unknown == 70


def test_equal_scores_predict_the_first_output():
    labels = np.eye(3)[np.arange(90) % 3]
    result = estimate_set(np.zeros((90, 3)), labels, [1, 1, 1], alone(90))
    assert result.macro_auroc.value == 0.5
    assert [rate.value for rate in result.miss_rate] == [0, 1, 1]
    assert [rate.value for rate in result.false_alarm_rate] == [1, 0, 0]
    assert np.isnan(result.minority_error.value)  # none is rarer than one in three


def test_confusion_shares_are_those_of_the_table():
    scores, labels, _ = drawn()
    for clusters in (alone(400), Clusters(np.arange(400) // 4, known=True)):
        shown = confusion_shares(scores, labels, clusters)
        table = evaluate_set(scores, labels, labels.sum(0)).confusion
        np.testing.assert_allclose(shown.value, table / table.sum(1, keepdims=True), atol=1e-6)
        np.testing.assert_array_equal(shown.images, np.repeat(table.sum(1, keepdims=True), 5, axis=1))
        cell = shown.estimate(2, 3)
        assert cell.low <= cell.value <= cell.high


def test_top_k_accuracy_is_a_proportion():
    scores, labels, _ = drawn()
    assert top_k_accuracy(scores, labels, 5, alone(400)).value == 1
    first = top_k_accuracy(scores, labels, 1, alone(400))
    assert first.value == pytest.approx(estimate_set(scores, labels, labels.sum(0), alone(400)).accuracy.value)
    with pytest.raises(InputError, match="k is 1 to 5, got 0"):
        top_k_accuracy(scores, labels, 0, alone(400))


@pytest.mark.parametrize(
    ("images", "rates", "per", "least"),
    [
        ((200, 100, 50, 20, 10), (0.1, 0.2, 0.3, 0.4, 0.5), 1, 0.92),
        ((200, 100, 50, 40, 40), (0.1, 0.2, 0.3, 0.4, 0.5), 4, 0.93),
        ((200, 100, 50, 20, 10), (0.02,) * 5, 1, 0.94),
        ((500, 20, 20), (0.05, 0.3, 0.3), 4, 0.92),
    ],
)
def test_the_interval_of_a_mean_rate_covers(images, rates, per, least):
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(len(images)), images)
    people = np.concatenate([np.arange(n) // per + 1000 * a for a, n in enumerate(images)])
    clusters = Clusters.of(people.astype(str) if per > 1 else [""] * len(true))
    codes = np.unique(people, return_inverse=True)[1]
    covered = 0
    for _ in range(250):
        of_person, own = rng.random(codes.max() + 1), rng.random(len(true))
        draw = np.where(rng.random(len(true)) < (0.6 if per > 1 else 0), of_person[codes], own)
        wrong = (draw < np.asarray(rates)[true]).astype(float)
        mean = mean_rate(wrong, true, range(len(images)), clusters)
        covered += mean.low <= np.mean(rates) <= mean.high
    assert covered / 250 >= least - 0.02
