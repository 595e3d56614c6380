import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.labels import constraints
from bincam.faces.labels.copula import calibrate, nearest_correlation, phi, rare_pairs
from bincam.faces.labels.prevalence import target
from bincam.faces.labels.spec import index


def draw(copula, rows=100_000):
    noise = np.random.default_rng(7).standard_normal((rows, 40))
    return copula.labels(noise @ np.linalg.cholesky(copula.correlation).T)


def mean_error(labels, wanted):
    pairs = np.triu(~constraints.exclusive(), 1)
    return np.abs(phi(labels) - wanted.phi)[pairs].mean()


def test_phi_is_the_correlation_coefficient():
    labels = np.random.default_rng(0).random((999, 5)) < [0.1, 0.5, 0.9, 0.3, 0.5]
    assert phi(labels) == pytest.approx(np.corrcoef(labels.T), abs=1e-6)
    constant = np.ones((10, 2), dtype=bool)
    assert np.array_equal(phi(constant), np.eye(2))


@pytest.mark.parametrize("preset", ["celeba", "balanced", "independent"])
def test_presets_come_out_right_behind_the_repairs(preset):
    wanted = target(preset)
    labels = draw(calibrate(wanted))
    assert np.abs(labels.mean(axis=0) - wanted.prevalence).max() < 0.01  # 0.015 is promised
    assert mean_error(labels, wanted) < {"celeba": 0.015, "balanced": 0.025, "independent": 0.01}[preset]
    assert not (labels.T.astype(int) @ labels)[constraints.exclusive()].any()


def test_overrides_are_met():
    wanted = target(set={"Bald": 0.5}, correlate={("Smiling", "Male"): 0.8, ("Young", "Eyeglasses"): -0.4})
    labels = draw(calibrate(wanted))
    measured = phi(labels)
    assert np.abs(labels.mean(axis=0) - wanted.prevalence).max() < 0.01
    assert measured[index("Smiling"), index("Male")] == pytest.approx(0.8, abs=0.03)
    assert measured[index("Young"), index("Eyeglasses")] == pytest.approx(-0.4, abs=0.03)


def test_what_celeba_hardly_ever_has_is_avoided_and_not_forbidden():
    male, goatee, lipstick = index("Male"), index("Goatee"), index("Wearing_Lipstick")
    labels = draw(calibrate(target()))
    assert labels[~labels[:, male], goatee].mean() < 0.001
    assert labels[labels[:, male], lipstick].mean() < 0.001
    few_men = draw(calibrate(target(set={"Male": 0.03})))
    assert few_men[:, goatee].mean() == pytest.approx(0.0628, abs=0.002)
    independent = rare_pairs(target("independent"))
    assert not independent.apart.any()
    assert not independent.needs.any()


def test_prevalences_of_zero_and_one():
    labels = draw(calibrate(target(set={"Wearing_Hat": 0.0, "Male": 1.0})), rows=20_000)
    assert not labels[:, index("Wearing_Hat")].any()
    assert labels[:, index("Male")].all()


def test_correlations_that_are_not_possible_together_name_the_nearest():
    asked = {("Smiling", "Male"): 0.8, ("High_Cheekbones", "Male"): 0.8, ("Smiling", "High_Cheekbones"): -0.3}
    with pytest.raises(InputError, match=r"High_Cheekbones,Smiling=-0.3.* not possible together .*nearest found: "):
        calibrate(target(correlate=asked))


def test_labels_that_are_not_always_seen_are_drawn_more_often():
    seen = np.ones(40)
    seen[index("Wearing_Earrings")] = 0.6
    labels = draw(calibrate(target(), seen))
    kept = np.random.default_rng(1).random(len(labels)) < 0.6
    labels[:, index("Wearing_Earrings")] &= kept
    assert labels[:, index("Wearing_Earrings")].mean() == pytest.approx(0.1889, abs=0.006)
    assert mean_error(labels, target()) < 0.015


def test_the_nearest_correlation_keeps_what_is_firm():
    wished = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    firm = np.zeros((3, 3), dtype=bool)
    firm[0, 1] = firm[1, 0] = True
    near = nearest_correlation(wished, firm)
    assert near[0, 1] == pytest.approx(0.9, abs=1e-3)
    assert np.linalg.eigvalsh(near)[0] > 0
    assert np.diag(near) == pytest.approx(1.0)


def test_calibration_is_the_same_every_time():
    one, two = calibrate(target()), calibrate(target())
    assert np.array_equal(one.prevalence, two.prevalence)
    assert np.array_equal(one.correlation, two.correlation)
