"""Figures of boxes: what is drawn, and where."""

import numpy as np

from bincam.report.figures.pictured.boxes import CASING, MAP_BOX, TRUE_BOX, BoxCurves, box_curves, with_boxes


def test_boxes_are_drawn_inside_their_ends_and_nowhere_else():
    image = np.full((32, 32, 3), 128, np.uint8)
    drawn = with_boxes(image, np.array([4, 4, 12, 12]), np.array([16, 16, 28, 30]))
    factor = drawn.shape[0] // 32
    assert drawn.shape == (32 * factor, 32 * factor, 3)
    for colour, (x0, y0, x1, y1) in ((TRUE_BOX, (4, 4, 12, 12)), (MAP_BOX, (16, 16, 28, 30))):
        y, x = np.nonzero((drawn == colour).all(-1))
        assert x0 * factor - 4 <= x.min() <= x0 * factor + 2
        assert x1 * factor - 4 <= x.max() <= x1 * factor + 4
        assert y1 * factor - 4 <= y.max() <= y1 * factor + 4
        assert y0 * factor - 4 <= y.min() <= y0 * factor + 2
    assert (drawn == CASING).all(-1).any()
    assert (drawn[40 * factor // 2 :, : 10 * factor] == 128).all()  # away from both


def test_no_box_is_not_drawn():
    image = np.full((300, 200, 3), 128, np.uint8)
    np.testing.assert_array_equal(with_boxes(image, np.full(4, np.nan), None), image)


def test_undefined_lines_are_left_out():
    levels = np.arange(100) / 100
    one = BoxCurves(levels, 1 - levels, np.ones(100), {"constant box": float("nan"), "centred box": 0.3}, {".2": 0.2})
    figure = box_curves([one, one])
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["map", "projected mask", "centred box"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 100 * (1 - levels))
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()  # the first model dashed, the second solid
