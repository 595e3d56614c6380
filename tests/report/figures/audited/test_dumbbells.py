import math
import re

import numpy as np
import pytest

from bincam.report.figures.audited.attribute import Canvas, threshold_curves
from bincam.report.figures.audited.dumbbells import Row, pairs
from bincam.report.figures.theme import VARIABLES, inline
from bincam.stats.estimate import Estimate, undefined

UNDEFINED = undefined("")


def rows(count):
    random = np.random.default_rng(0)
    result = []
    for n in range(count):
        a, b = random.random(2)
        cells = (Estimate(a, a - 0.1, a + 0.1, 9, None, "small", ""), Estimate(b, b - 0.1, b + 0.1, 90, None, "ok", ""))
        result.append(Row(f"Attribute {n}", 0.1, (cells, (UNDEFINED, cells[1]))))
    return result


def test_every_attribute_is_a_row_and_undefined_is_left_out():
    figure = pairs(rows(5), ["one", "two"], "error", limits=(0.0, 1.0))
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == [f"Attribute {n}  10\u202f%" for n in range(5)]
    assert first.get_ylim()[0] > first.get_ylim()[1]  # the first on top
    assert sum(len(one.get_offsets()) for one in first.collections if len(one.get_offsets()) > 1) == 10
    assert sum(len(one.get_offsets()) for one in second.collections if len(one.get_offsets()) > 1) == 5
    assert first.get_xlim() == second.get_xlim() == pytest.approx((-0.02, 1.02))


def test_nothing_to_draw_is_drawn():
    empty = [Row("a", math.nan, ((UNDEFINED, UNDEFINED),))]
    assert "a" in inline(pairs(empty, ["one"], "error"), "nothing")


def test_inline_figures_take_the_page_s_colours_and_leave_no_state():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    text = inline(pairs(rows(3), ["one", "two"], "gain", zero=0.0), 'said "so" & <so>')
    assert dict(mpl.rcParams) == before
    for colour, name in VARIABLES.items():
        assert colour not in text
        assert name in {"card"} or f"var(--{name})" in text
    assert 'aria-label="said &quot;so&quot; &amp; &lt;so&gt;"' in text
    assert 'id="figure' not in text
    assert not re.search(r"font-family: (?!var)", text)
    assert text == inline(pairs(rows(3), ["one", "two"], "gain", zero=0.0), 'said "so" & <so>')


@pytest.mark.parametrize("minority", [1, -1])
def test_threshold_curves_count_as_the_audit_does(minority):
    random = np.random.default_rng(1)
    logits, labels = random.normal(size=80).round(1), (random.random(80) < 0.3).astype(float)
    logits[3], labels[5] = np.nan, np.nan
    curves = threshold_curves(logits, labels, 0.25, minority)
    assert 0.25 in curves.thresholds
    known = np.isfinite(logits) & np.isfinite(labels)
    z, y = logits[known], labels[known] == 1
    for t, rarer, other in zip(curves.thresholds, curves.errors["minority"], curves.errors["majority"], strict=True):
        missed, alarmed = (z[y] < t).mean(), (z[~y] >= t).mean()
        assert (rarer, other) == pytest.approx((missed, alarmed) if minority > 0 else (alarmed, missed))


def test_threshold_curves_of_nothing():
    assert threshold_curves(np.array([np.nan]), np.array([1.0]), 0.0, 1).thresholds.size == 0
    one_class = threshold_curves(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.0, 1)
    assert np.isnan(one_class.errors["majority"]).all()
    assert np.isfinite(one_class.errors["minority"]).all()


def test_a_canvas_is_wiped_between_attributes():
    canvas = Canvas(["one", "two"])
    curve = threshold_curves(np.linspace(-1, 1, 30), (np.arange(30) % 3 == 0).astype(float), 0.0, 1)
    shares = {"minority": np.array([0.1, np.nan]), "majority": np.zeros(0)}
    drawn = [
        (inline(canvas.bias_shares([shares, shares]), ""), inline(canvas.thresholds([curve, curve]), ""))
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    bins = [
        {"images": 40, "identities": 20, "mean_probability": 0.2, "positive_rate": 0.3, "low": 0.1, "high": 0.5},
        {"images": 9, "identities": 1, "mean_probability": 0.9, "positive_rate": 0.3, "low": None, "high": None},
    ]
    line = {"as trained": bins, "undone": bins}
    assert "predicted probability" in inline(canvas.calibration([line, {}]), "")
    assert inline(canvas.thresholds([curve, curve]), "") == drawn[0][1]
