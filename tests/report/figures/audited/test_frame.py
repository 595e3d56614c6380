"""Axes that are laid out once draw what axes of their own would."""

import numpy as np
import pytest

from bincam.report.figures.audited.attribute import Canvas, threshold_curves
from bincam.report.figures.audited.frame import Frame
from bincam.report.figures.theme import inline, style

ARMS = ["unbalanced model", "balanced model"]


def shares(random):
    return {"minority": random.beta(2, 2, 30), "majority": random.beta(3, 1, int(random.integers(0, 300)))}


def curves(random):
    logits = random.normal(0, random.uniform(0.5, 9), 200)
    return threshold_curves(logits, (random.random(200) < 0.3).astype(float), random.normal(), 1)


def bins(random):
    at = np.sort(random.random(6))
    return [
        {"images": int(n), "identities": None, "mean_probability": p, "positive_rate": p**2, "low": p / 2, "high": None}
        for n, p in zip(random.integers(5, 80, 6), at.tolist(), strict=True)
    ]


def drawn(canvas, seed):
    """All kinds of charts of one pretended attribute."""
    random, arms = np.random.default_rng(seed), range(len(canvas.arms))
    calibrated = [{"as trained": bins(random), "corrected": bins(random)} for _ in arms]
    return [
        inline(canvas.bias_shares([shares(random) for _ in arms]), "shares"),
        inline(canvas.thresholds([curves(random) for _ in arms]), "thresholds"),
        inline(canvas.calibration(calibrated), "calibration"),
        inline(canvas.calibration(calibrated[:1] * len(arms), confidence=True), "confidence"),
    ]


@pytest.mark.parametrize("arms", [ARMS, ARMS[:1]])
def test_reused_axes_draw_to_the_path_what_their_own_would(arms):
    reused = Canvas(arms)
    for seed in (0, 1, 0):  # the first again: its axes are then all known
        assert drawn(reused, seed) == drawn(Canvas(arms), seed), seed


def test_an_arm_without_data_has_axes_though_it_defines_no_region_to_clip_to():
    full, empty = ({name: np.full(n, 0.4) for name in ("minority", "majority")} for n in (9, 0))
    canvas = Canvas(ARMS)
    first = inline(canvas.bias_shares([full, full]), "")
    half = inline(canvas.bias_shares([empty, full]), "")
    assert half == inline(Canvas(ARMS).bias_shares([empty, full]), "")
    assert first.count("<path") > half.count("<path")


def test_the_stated_height_of_the_title_is_the_one_that_matplotlib_measures():
    with style():
        stated, measured = (Frame(2, "Bias share", "bias share", "images [%]") for _ in range(2))
    measured.rows[0]._autotitlepos = True  # as if it had no height
    assert inline(stated, "") == inline(measured, "")


def test_other_formats_are_matplotlibs_own(tmp_path):
    with style():
        frame = Frame(1, "Calibration", "predicted", "positives")
    frame.savefig(tmp_path / "frame.png")
    assert (tmp_path / "frame.png").read_bytes().startswith(b"\x89PNG")
