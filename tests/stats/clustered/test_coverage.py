"""A sample of the coverage that ``experiments/statistics`` measures: 95 % intervals contain the truth in 91 to 99 %."""

import numpy as np
import pytest

from experiments.statistics import population
from experiments.statistics.coverage import measure
from experiments.statistics.population import Design


@pytest.mark.slow
@pytest.mark.parametrize("labels", ["image", "person"])
def test_intervals_cover(labels):
    design = Design(people=40, labels=labels, icc=0.5)
    for family in ("rates", "overall", "means", "two"):
        for figure, found in measure(family, design, runs=250)["figures"].items():
            # Three standard errors below 95 %; a mean of skewness 6 in a class of 20 people is a little below.
            if found["coverage"] is not None and "ratio" not in figure:
                assert found["coverage"] >= (0.88 if "skewed" in figure else 0.91), figure
            assert found["point"] == 0, figure


def test_truths_are_those_of_large_draws():
    rng = np.random.default_rng(0)
    design = Design(people=40_000, images=4, varying=False, icc=0.3)
    person = population.draw_people(design, rng)
    wrong = population.draw_errors(design, person, (0.05, 0.3), rng)
    assert wrong.mean(0) == pytest.approx((0.05, 0.3), abs=0.004)
    first, second = (wrong.reshape(-1, 4, 2)[:, k, 1] for k in (0, 1))
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.3, abs=0.03)
    for shape in ("normal", "skewed", "share"):
        drawn = population.draw_measure(design, person, shape, rng)
        assert drawn.mean() == pytest.approx(population.mean_of(shape), abs=0.03)


def test_truths_of_scores_are_scikit_learns_on_large_draws():
    from scipy.special import expit
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    rng = np.random.default_rng(1)
    design = Design(people=100_000, images=1, varying=False, prevalence=0.2)
    person = population.draw_people(design, rng)
    label = population.draw_labels(design, person, rng)
    z = population.draw_scores(design, person, label, 0.9, rng)
    assert roc_auc_score(label, z) == pytest.approx(0.9, abs=0.005)
    assert average_precision_score(label, z) == pytest.approx(population.average_precision(0.9, 0.2), abs=0.01)
    assert brier_score_loss(label, expit(z)) == pytest.approx(population.brier(0.9, 0.2), abs=0.003)
    assert population.signed_calibration_error(0.9, 0.2) == pytest.approx(0, abs=1e-9)
    assert population.calibration_error(0.9, 0.2) == pytest.approx(0, abs=1e-4)  # bins end between points
    assert population.calibration_error(0.9, 0.2, intercept=1.0) > 0.05
