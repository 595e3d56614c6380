"""Pictures of prediction grids: colours, the threshold, legends, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.report.figures.pictured.grid import (
    LEGEND,
    NamedCells,
    ScoreCells,
    grid_figure,
    name_colours,
    ranked,
    score_colours,
)


def picture(*panels):
    image = np.full((64, 96, 3), 128, np.uint8)
    return grid_figure(image, panels, title="a.png", caption="what may be claimed")


def texts(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    return found + [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]


def test_zero_of_the_colours_is_the_threshold_and_sides_differ():
    colours = score_colours()
    low, middle, high = (np.array(colours(x)[:3]) for x in (0.0, 0.5, 1.0))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert middle.min() > 0.9
    slightly = np.array(colours(0.52)[:3])
    assert slightly[0] - slightly[2] > 0.05, "a small score has a side that can be seen"


def test_an_attribute_has_one_symmetric_scale_around_its_threshold():
    scores = np.array([[-3.0, 0.4], [0.6, np.nan]])
    figure = picture(ScoreCells("disc", ("the image: YES",), scores, 0.5, 4.0))
    image = next(i for axes in figure.axes for i in axes.get_images() if i.get_array().shape == (2, 2))
    assert image.get_clim() == (-3.5, 4.5)
    assert {"t = 0.5", "disc", "the image: YES"} <= set(texts(figure))
    (lines,) = [c for axes in figure.axes for c in axes.collections if len(c.get_paths()) == 3]
    assert lines is not None, "between no and yes, and between either and the undefined cell"


def test_the_legend_has_the_outputs_that_cells_name_and_the_answer():
    names = tuple(f"output {n}" for n in range(30))
    winners = np.arange(25).reshape(5, 5) // 2  # 13 outputs, two cells each
    panel = NamedCells("class", (), winners, names, answer=29)
    legend = ranked(panel)
    assert len(legend) == LEGEND
    assert legend[-1] == (29, 0)
    said = texts(picture(panel))
    assert "output 29 (answer)" in said
    assert "0 of 25" in said
    assert "others" in said
    assert f"{25 - 2 * (LEGEND - 1)} of 25" in said


@pytest.mark.parametrize("winners", [np.full((3, 2), -1), np.zeros((3, 2), int)])
def test_grids_without_a_name_and_with_one_are_drawn(winners):
    figure = picture(NamedCells("class", ("no prediction",), winners, ("cat", "dog"), answer=-1))
    assert min(figure.get_size_inches()) > 2


def test_colours_are_distinct_also_in_grey():
    from matplotlib.colors import to_rgb

    grey = sorted(np.dot(to_rgb(colour), [0.299, 0.587, 0.114]) for colour in name_colours(LEGEND))
    assert len(set(name_colours(LEGEND))) == LEGEND
    assert grey[-1] - grey[0] > 0.4


def test_equal_input_gives_equal_pictures(tmp_path):
    from bincam.report.figures.pictured.explanation import save_figure

    panel = NamedCells("class", (), np.array([[0, 1]]), ("cat", "a $ b"), answer=1)
    for name in ("one.png", "two.png"):
        save_figure(picture(panel, ScoreCells("x", (), np.ones((2, 2)), 0.0, 1.0)), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
