"""Figures of label sets: every marker and every name in a legend is seen whole."""

import numpy as np
import pytest

from bincam.report.figures.audited.label_sets import SIZE, classes_figure, size_coverage_figure, sizes_figure
from bincam.report.figures.theme import style
from bincam.stats.estimate import Estimate, undefined

NAMES = ("Bald", "Young", "Wearing_Necklace_Outdoors", "Hat")
RULES = ("one λ for all", "a λ for each attribute", "risk control")
LONG = ("class-conditional LAC", "average-K (K = 1.25)", "class-conditional RAPS (K = 3)")
CURVE = {
    "size": [0.0, 0.6, 1.0, 1.4, 2.0],
    "coverage": [0.0, 0.5, 0.8, 0.9, 1.0],
    "minority": [0.0, 0.3, 0.6, None, 1.0],
    "majority": [0.0, 0.6, 0.9, 0.95, 1.0],
}
POINTS = {
    "lac": (0.0, 0.0),
    "class_conditional": (1.5, 0.92),
    "aps": (1.6, 0.93),
    "raps": (1.55, 0.93),
    "average_k=1": (0.0, 1.0),
    "average_k=2": (2.0, 1.0),
}


def estimate(value):
    return Estimate(value, max(0, value - 0.1), min(1, value + 0.1), 50, None, "ok", "")


def classes(rules=RULES, names=NAMES):
    values = (0.0, 0.4, 1.0, 0.02)
    return classes_figure(
        {rule: {name: estimate(values[i % 4]) for i, name in enumerate(names)} for rule in rules}, 0.1
    )


FIGURES = {
    "classes": classes,
    "classes with long rules": lambda: classes(LONG),
    "twenty classes": lambda: classes(names=[f"Class {i}" for i in range(20)]),
    "one class": lambda: classes(RULES[:1], ("x",)),
    "curve": lambda: size_coverage_figure(CURVE, POINTS, 0.1, 2),
    "sizes": lambda: sizes_figure({"LAC": [3, 50, 10], LONG[0]: [1, 40, 30]}, ("nothing", "one answer", "cannot say")),
    "many sizes": lambda: sizes_figure({LONG[0]: [3, 50, 10] * 5, LONG[1]: [1, 40, 30] * 5}),
}


@pytest.mark.parametrize("kind", FIGURES)
def test_legend_and_labels_lie_within_the_figure_and_do_not_touch(kind):
    figure = FIGURES[kind]()
    with style():
        figure.draw_without_rendering()
        (legend,) = figure.legends
        (axes,) = figure.axes
        place, drawn, whole = legend.get_window_extent(), axes.get_tightbbox(), figure.bbox
    assert [text.get_text() for text in legend.get_texts()] == axes.get_legend_handles_labels()[1]
    for box in (place, drawn):
        assert np.all(box.min >= whole.min - 0.5)
        assert np.all(box.max <= whole.max + 0.5)
    assert place.y1 <= drawn.y0  # numbers and label of the axis are part of what is drawn


@pytest.mark.parametrize("kind", ["classes", "twenty classes", "one class", "curve"])
def test_markers_at_the_ends_of_an_axis_are_not_cut(kind):
    figure = FIGURES[kind]()
    (axes,) = figure.axes
    seen = 0
    for line in axes.lines:
        if line.get_marker() in ("None", "", None):
            continue
        place = axes.bbox if line.get_clip_on() else figure.bbox
        points = axes.transData.transform(line.get_xydata())
        radius = line.get_markersize() / 2 * figure.dpi / 72
        assert np.all(points - radius >= place.min)
        assert np.all(points + radius <= place.max)
        seen += len(points)
    assert seen == {"classes": 12, "twenty classes": 60, "one class": 1, "curve": 6}[kind]


def test_a_class_without_an_estimate_has_no_marker_and_its_rule_is_in_the_legend_once():
    figure = classes_figure({"LAC": {"a": undefined(""), "b": estimate(0.5), "c": estimate(0.6)}}, 0.1)
    (axes,) = figure.axes
    assert sum(line.get_marker() == "D" for line in axes.lines) == 2
    assert axes.get_legend_handles_labels()[1] == ["LAC"]


def test_a_legend_of_two_lines_makes_room_for_itself():
    one, two = classes(), classes(LONG)
    assert two.get_figheight() >= one.get_figheight()
    (legend,) = two.legends
    heights = [figure.legends[0].get_window_extent().height for figure in (one, two)]
    assert heights[1] > 1.5 * heights[0]
    assert legend.get_window_extent().width <= two.bbox.width
    assert one.get_figwidth() == SIZE[0]
