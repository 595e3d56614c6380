"""Calibration error: its null against drawn labels, coverage of its bounds, and clusters that share labels."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from bincam.stats.calibration import BINS, bin_index, calibrate
from bincam.stats.calibration_error import BinSums, CalibrationError, calibration_error, expected_absolute, null_errors
from bincam.stats.clusters import Clusters


def draw(rng, n, slope=1.0, shift=0.0, size=1):
    """Probabilities, labels and clusters; with ``size`` images of a person, who have one label."""
    odds = np.repeat(rng.normal(0, 1.5, n // size), size)
    label = np.repeat(rng.random(n // size), size) < expit(odds)
    return expit(slope * odds + shift), label.astype(float), np.repeat(np.arange(n // size), size)


def of(p, y, codes, **about):
    return calibration_error(BinSums.of(p, y, bin_index(p), codes, BINS), **about)


def test_the_null_is_that_of_labels_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    p, y, codes = draw(rng, 100)
    error = of(p, y, codes)
    labels = rng.random((2000, 100)) < p
    drawn = [np.abs(np.bincount(bin_index(p), p - row, BINS)).sum() / 100 for row in labels]
    assert error.null_mean == pytest.approx(np.mean(drawn), abs=0.004)
    assert error.null_high == pytest.approx(np.quantile(drawn, 0.95), abs=0.01)
    assert error.null_mean > 0.1, "chance alone, of 100 images"


def test_the_null_of_people_with_one_label_is_that_of_people():
    rng = np.random.default_rng(1)
    p, y, codes = draw(rng, 400, size=10)
    error = of(p, y, codes)
    people = rng.random((2000, 40)) < p[::10]
    drawn = [np.abs(np.bincount(bin_index(p), p - np.repeat(row, 10), BINS)).sum() / 400 for row in people]
    assert error.correlation > 0.6
    assert error.null_mean == pytest.approx(np.mean(drawn), rel=0.2)
    assert of(p, y, np.arange(400)).null_mean < 0.5 * error.null_mean


def test_many_people_are_drawn_from_a_normal_distribution_with_the_same_result():
    rng = np.random.default_rng(2)
    images = rng.integers(0, 3, (900, 4)).astype(float)
    mean = np.array([0.1, 0.4, 0.6, 0.9])
    sums = BinSums(images, images * 0, mean * 0, images.sum(0) * mean * (1 - mean), mean)
    covariance = np.diag(sums.variance) + 0.5 * sums.shared()
    exact = null_errors(images, mean, covariance, 0.5)
    twice = null_errors(np.r_[images, images], mean, 2 * covariance, 0.5)  # above the limit
    assert np.mean(twice) * np.sqrt(2) == pytest.approx(np.mean(exact), rel=0.05)
    assert np.quantile(twice, 0.95) * np.sqrt(2) == pytest.approx(np.quantile(exact, 0.95), rel=0.07)


@pytest.mark.parametrize(("n", "size"), [(100, 1), (1000, 1), (400, 10)])
def test_a_calibrated_model_is_not_found_miscalibrated(n, size):
    rng = np.random.default_rng([n, size])
    errors = [of(*draw(rng, n, size=size), seed=run) for run in range(80)]
    assert np.mean([error.p <= 0.05 for error in errors]) < 0.12
    assert np.mean([error.low > 0 for error in errors]) < 0.06
    assert np.median([error.debiased for error in errors]) < 0.5 * np.median([error.value for error in errors])


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.5), (2.0, 0.0), (1.0, 0.0)])
def test_bounds_contain_the_true_error(slope, shift):
    rng = np.random.default_rng([int(slope), int(10 * shift)])
    many_p, many_y, _ = draw(rng, 1_000_000, slope, shift)
    truth = np.abs(np.bincount(bin_index(many_p), many_p - many_y, BINS)).sum() / len(many_p)
    errors = [of(*draw(rng, 600, slope, shift), seed=run) for run in range(60)]
    assert np.mean([error.low <= truth for error in errors]) >= 0.93
    assert np.mean([error.high >= truth - 0.001 for error in errors]) >= 0.93
    if truth > 0.05:
        assert np.mean([error.debiased for error in errors]) == pytest.approx(truth, abs=0.02)


def test_twenty_thousand_images_decide():
    rng = np.random.default_rng(5)
    calibrated, shifted = of(*draw(rng, 20_000)), of(*draw(rng, 20_000, shift=0.8))
    assert calibrated.high < 0.03
    assert shifted.low > 0.05
    assert shifted.p < 0.01


def test_no_error_seen_is_no_certainty():
    """A rare class without a positive image: the calibrated share may be several percent."""
    error = of(np.full(100, 0.01), np.zeros(100), np.arange(100))
    assert error.value == pytest.approx(0.01)
    assert error.high > 0.03
    people = of(np.full(100, 0.01), np.zeros(100), np.repeat(np.arange(10), 10))
    assert people.high > error.high
    assert people.p > 0.05


def test_expected_absolute_is_the_folded_normal_mean():
    shift = np.array([0.0, 0.7, 5.0])
    np.testing.assert_allclose(expected_absolute(shift), [stats.foldnorm.mean(s) for s in shift])


def test_json_gives_the_same_error_back():
    error = of(*draw(np.random.default_rng(0), 100))
    assert CalibrationError.from_json(error.to_json()) == error


def test_bins_know_people():
    rng = np.random.default_rng(3)
    p, y, codes = draw(rng, 400, size=10)
    wide, narrow = (
        calibrate(p, y, clusters).bins for clusters in (Clusters(codes, known=True), Clusters.of([""] * 400))
    )
    for with_people, without in zip(wide, narrow, strict=True):
        assert with_people["images"] == without["images"]
        assert with_people["identities"] == len(np.unique(codes[bin_index(p) == round(with_people["lower"] * BINS)]))
        assert without["identities"] is None
        if with_people["identities"] > 1:
            assert with_people["high"] - with_people["low"] > without["high"] - without["low"]
        else:
            assert with_people["low"] is None, "one person has no interval"
