"""Signed error, slope and intercept against statsmodels, and fits without a solution."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit

from bincam.stats.calibration import calibrate
from bincam.stats.clusters import Clusters
from bincam.stats.recalibration import degrees_of_freedom, recalibrate, signed_error


@pytest.fixture(scope="module")
def clustered():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(60), rng.integers(2, 9, 60))
    odds = rng.normal(size=len(codes)) + rng.normal(size=60)[codes]
    label = (rng.random(len(codes)) < expit(odds + rng.normal(0, 0.5, 60)[codes])).astype(float)
    return 1.8 * odds + 0.4, label, codes


def test_slope_and_intercept_are_those_of_statsmodels(clustered):
    logit, label, codes = clustered
    fit = recalibrate(logit, label, Clusters(codes, known=True))
    model = sm.GLM(label, sm.add_constant(logit), family=sm.families.Binomial()).fit()
    assert [fit.intercept.value, fit.slope.value] == pytest.approx(model.params, rel=1e-6)


def test_the_variance_is_that_of_mancl_and_derouen(clustered):
    logit, label, codes = clustered
    fit = recalibrate(logit, label, Clusters(codes, known=True))
    gee = sm.GEE(label, sm.add_constant(logit), groups=codes, family=sm.families.Binomial()).fit(
        cov_type="bias_reduced"
    )
    # The intercept's interval is symmetric: its half-width is t times the error, with t of between 20 and 59 degrees.
    ratio = (fit.intercept.high - fit.intercept.low) / 2 / gee.bse[0]
    assert 2.0 < ratio < 2.09
    assert (fit.slope.high - fit.slope.value) / gee.bse[1] == pytest.approx(ratio, rel=0.05)
    assert fit.slope.value - fit.slope.low > fit.slope.high - fit.slope.value, "moved down by the bias"


def test_clusters_of_one_image_give_the_robust_variance():
    rng = np.random.default_rng(11)
    logit = rng.normal(size=5000)
    label = (rng.random(5000) < expit(logit)).astype(float)
    fit = recalibrate(logit, label, Clusters.of([""] * 5000))
    model = sm.GLM(label, sm.add_constant(logit), family=sm.families.Binomial()).fit(cov_type="HC0")
    assert [fit.intercept.value, fit.slope.value] == pytest.approx(model.params, rel=1e-6)
    assert (fit.slope.high - fit.slope.value) / model.bse[1] == pytest.approx(1.96, rel=0.01)
    assert fit.slope.low < 1 < fit.slope.high
    assert fit.intercept.low < 0 < fit.intercept.high


@pytest.mark.parametrize(
    ("logit", "label", "reason"),
    [
        ([np.nan] * 4, [0, 1, 0, 1], "no image has both"),
        ([1.0, 2, 3, 4], [1, 1, 1, 1], "all images are positive"),
        ([1.0, 2, 3, 4], [0, 0, 0, 0], "all images are negative"),
        ([1.0, 1, 1, 1], [0, 1, 0, 1], "all logits are equal"),
        ([1.0, 2, 3, 4], [0, 0, 1, 1], "separate the classes"),
        ([1.0, 2, 3, 4], [1, 1, 0, 0], "separate the classes"),
        ([1.0, 2, 2, 4], [0, 0, 1, 1], "separate the classes"),
    ],
)
def test_a_fit_without_a_solution_is_undefined_with_its_reason(logit, label, reason):
    fit = recalibrate(np.array(logit), np.array(label, float), Clusters.of([""] * 4))
    assert fit.slope.status == fit.intercept.status == "undefined"
    assert reason in fit.reason


def test_extreme_logits_are_fitted_all_the_same():
    rng = np.random.default_rng(2)
    odds = rng.normal(size=3000)
    label = (rng.random(3000) < expit(odds)).astype(float)
    fit = recalibrate(1e4 * odds + 3e4, label, Clusters.of([""] * 3000))
    plain = recalibrate(odds, label, Clusters.of([""] * 3000))
    assert fit.slope.value == pytest.approx(plain.slope.value / 1e4, rel=1e-6)
    assert fit.intercept.value == pytest.approx(plain.intercept.value - 3 * plain.slope.value, rel=1e-4)


def test_few_of_a_class_are_small():
    rng = np.random.default_rng(3)
    logit = rng.normal(size=200)
    label = np.zeros(200)
    label[np.argsort(logit)[[10, 100, 150, 190, 199]]] = 1
    assert recalibrate(logit, label, Clusters.of([""] * 200)).slope.status == "small"


def test_certain_probabilities_of_a_margin_have_no_slope():
    clusters = Clusters.of([""] * 40)
    p = np.r_[0.0, np.linspace(0.1, 0.9, 38), 1.0]
    calibration = calibrate(p, np.arange(40) % 2.0, clusters)
    assert calibration.slope_reason == "2 of 40 probabilities are 0 or 1, whose log-odds are infinite"
    assert calibration.slope.status == "undefined"
    assert calibration.signed.status == "ok"


def test_the_signed_error_of_independent_images_is_students():
    rng = np.random.default_rng(4)
    p = rng.uniform(0.2, 0.8, 400)
    label = (rng.random(400) < p - 0.1).astype(float)
    error = signed_error(p, label, Clusters.of([""] * 400))
    low, high = sm.stats.DescrStatsW(p - label).tconfint_mean()
    assert error.value == pytest.approx((p - label).mean())
    assert (error.low, error.high) == pytest.approx((low, high), abs=0.002)


def test_a_model_without_an_error_is_not_certain():
    p, label = np.repeat([0.999, 0.001], 50), np.repeat([1.0, 0.0], 50)
    error = signed_error(p, label, Clusters.of([""] * 100))
    assert error.low < -0.03
    assert error.high > 0.03
    of_people = signed_error(p, label, Clusters(np.repeat(np.arange(20), 5), known=True))
    assert of_people.high > error.high


def test_one_person_has_no_interval():
    error = signed_error(np.full(30, 0.4), np.arange(30) % 2.0, Clusters(np.zeros(30, int), known=True))
    assert (error.status, error.identities) == ("small", 1)
    assert np.isnan([error.low, error.high]).all()


def test_degrees_of_freedom_fall_with_unequal_clusters():
    sums = np.array([5.0, -4.0, 6.0, 1.0, -1.0, 1.0] * 5)
    equal = degrees_of_freedom(sums, np.ones(30), 9 * np.ones(30))
    sizes = np.array([9.0, 1.0, 1.0] * 10)
    assert equal == pytest.approx(29)
    assert degrees_of_freedom(sums, sizes, sizes**2) < 20
