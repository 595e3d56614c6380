"""Rules of calibration errors: chance passes and fails nothing, and evidence decides."""

import numpy as np
import pytest
from scipy.special import expit

from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import Rule
from bincam.stats.calibration import calibrate
from bincam.stats.clusters import Clusters


def rule(measure="ece", sign="<=", bound=0.05):
    return Rule(f"{measure}{sign}{bound}", measure, None, "all", sign, bound)


def summary_of(p, y, clusters):
    result = calibrate(p, y, clusters)
    rates = {"ece": result.ece, "calibration_slope": result.slope, "signed_calibration_error": result.signed}
    calibration = {
        "error": None if result.error is None else result.error.to_json(),
        "slope_reason": result.slope_reason,
    }
    entry = {"rates": {name: rate.to_json() for name, rate in rates.items()}, "calibration": calibration}
    return {"methods": ["grad_cam"], "attributes": {"Bald": entry}}


def drawn(n, shift=0.0, seed=0, size=1):
    rng = np.random.default_rng(seed)
    odds = np.repeat(rng.normal(0, 1.5, n // size), size)
    y = (np.repeat(rng.random(n // size), size) < expit(odds)).astype(float)
    clusters = Clusters(np.repeat(np.arange(n // size), size), known=size > 1)
    return summary_of(expit(odds + shift), y, clusters)


def verdict(summary, **about):
    (judgement,) = judge(summary, [rule(**about)])
    return judgement


def test_a_hundred_images_decide_nothing():
    verdicts = [verdict(drawn(100, seed=seed)) for seed in range(20)]
    assert {one.verdict for one in verdicts} == {"insufficient"}
    by_chance = next(one for one in verdicts if "perfectly calibrated" in one.reason)
    assert "the interval contains 0.05: the error of these images is 0.1" in by_chance.reason


def test_many_images_of_a_calibrated_model_pass_and_of_a_shifted_one_fail():
    assert verdict(drawn(20_000)).verdict == "pass"
    shifted = verdict(drawn(20_000, shift=0.8))
    assert (shifted.verdict, shifted.reason) == ("fail", "the whole interval breaks <= 0.05")
    assert verdict(drawn(20_000), sign=">=").verdict == "fail"


def test_images_of_few_people_decide_nothing():
    assert verdict(drawn(20_000, size=500)).verdict == "insufficient"
    assert verdict(drawn(20_000, shift=0.8, size=5000)).reason.startswith("too few")


def test_the_value_is_debiased_and_between_its_bounds():
    judgement = verdict(drawn(2000, shift=0.5))
    assert judgement.estimate.low < judgement.estimate.value < judgement.estimate.high
    assert judgement.estimate.value < drawn(2000, shift=0.5)["attributes"]["Bald"]["rates"]["ece"]["value"]


def test_a_summary_of_an_earlier_version_is_insufficient():
    summary = drawn(2000)
    entry = summary["attributes"]["Bald"]
    entry["rates"]["ece"] |= {"low": 0.01, "high": 0.03}  # the interval that it had
    del entry["calibration"]["error"]
    judgement = verdict(summary)
    assert judgement.verdict == "insufficient"
    assert "audit again" in judgement.reason


@pytest.mark.parametrize("measure", ["signed_calibration_error", "calibration_slope"])
def test_signed_error_and_slope_are_judged_by_their_intervals(measure):
    bound = 0.02 if measure == "signed_calibration_error" else 1.1
    assert verdict(drawn(20_000), measure=measure, bound=bound).verdict == "pass"
    assert verdict(drawn(300), measure=measure, bound=bound).verdict == "insufficient"


def test_an_undefined_slope_states_its_reason():
    y = np.repeat([0.0, 1.0], 50)
    judgement = verdict(summary_of(np.where(y, 0.9, 0.1) + np.arange(100) / 2000, y, Clusters.of([""] * 100)),
                        measure="calibration_slope", bound=1.1)  # fmt: skip
    assert judgement.verdict == "error"
    assert judgement.reason == "undefined: the logits separate the classes, so that no slope is the best"
