import numpy as np
import pytest
import torch

from bincam.report.figures.pictured.explanation import (
    Panel,
    enlarge,
    evidence_colours,
    explanation_figure,
    save_figure,
    scale,
)
from bincam.resample import upsample


def panels(count, limit=2.0):
    random = np.random.default_rng(0)
    return [
        Panel(f"Attribute {n}", ("logit +1.00", "says YES"), random.normal(size=(4, 5)), limit) for n in range(count)
    ]


def drawn(figure, count):
    """The map images of a figure: what stands above the backdrop in each panel."""
    return [axes.images[1] for axes in figure.axes if len(axes.images) == 2][:count]


def test_zero_is_fixed_and_clear():
    colours = evidence_colours()
    assert colours(128)[3] == 0
    assert colours(0)[2] > colours(0)[0]  # blue against
    assert colours(256)[0] > colours(256)[2]  # red for
    for image in drawn(explanation_figure(np.zeros((40, 50, 3), np.uint8), panels(3), title="", caption=""), 3):
        assert image.get_clim() == (-2.0, 2.0)


def test_scale_is_the_largest_finite_value():
    assert scale([np.array([[1.0, -3.0]]), np.array([[2.0, np.nan]])]) == 3
    assert scale([np.zeros((2, 2))]) == 1
    assert scale([np.full((2, 2), np.nan)]) == 1
    assert scale([]) == 1


def test_enlarging_is_the_package_s_upsampling():
    values = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(
        enlarge(values, (20, 31)), upsample(torch.from_numpy(values), (20, 31)).numpy(), atol=1e-12
    )


@pytest.mark.parametrize(("size", "count"), [((64, 64), 1), ((40, 160), 3), ((160, 40), 6), ((90, 60), 40)])
def test_nothing_is_cropped_and_nothing_overlaps(size, count):
    figure = explanation_figure(
        np.zeros((*size, 3), np.uint8), panels(count), title="a$b$.png", caption="what was drawn " * 30
    )
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    boxes = [text.get_window_extent(renderer) for axes in figure.axes for text in axes.texts]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    assert len(boxes) >= 2 + 3 * count
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    assert not [1 for n, one in enumerate(boxes) for other in boxes[n + 1 :] if one.shrunk(0.9, 0.7).overlaps(other)]
    for axes in figure.axes:
        if axes.images:
            box = axes.get_position()
            aspect = box.height * height / (box.width * width)
            assert aspect == pytest.approx(size[0] / size[1], rel=0.02)


def test_saving_leaves_no_state(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    save_figure(explanation_figure(np.zeros((9, 9, 3), np.uint8), panels(1), title="", caption=""), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert dict(mpl.rcParams) == before
    assert mpl.pyplot.get_fignums() == []
