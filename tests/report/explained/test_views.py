"""Pictures of whole photographs and where views are in them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bincam.inference import view_plan
from bincam.inference.zoom.render import render
from bincam.report.explained.views import about_views, view_outlines, views_note, whole_picture


def test_a_photograph_keeps_its_shape_and_a_strip_is_bounded() -> None:
    assert whole_picture(Image.new("RGB", (300, 400)), (64, 64)).shape == (85, 64, 3)
    assert whole_picture(Image.new("RGB", (4000, 2)), (64, 64)).shape == (64, 256, 3)
    assert whole_picture(Image.new("L", (1, 1)), (64, 96)).shape == (64, 64, 3)


def test_outlines_are_where_the_views_are_rendered_from() -> None:
    plan = view_plan([(128, 0, 2), (32, 1, 1)], (64, 64))
    photo = np.zeros((200, 400, 3), np.uint8)
    (whole, _), (close, _) = view_outlines(plan, (200, 400), (100, 200))
    assert whole == (0, 0, 200 * 63 / 64, 100), "resized to 32 x 64 and centred on pixel 31: the last column is cut off"
    x0, y0, x1, y1 = (2 * round(value) for value in close)
    photo[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3] = 255
    shown = list(render(photo, plan))[1]
    lit = np.argwhere(shown[..., 0] > 127)
    view_height = (y1 - y0) * 128 / 200
    assert abs((lit[:, 0].max() - lit[:, 0].min()) - view_height) < 6
    assert shown.max() == 255


def test_documents_without_views_say_nothing_of_them() -> None:
    assert about_views(None) == {}
    assert views_note({}) == ""
    document = about_views(view_plan([(32, 1, 1)], (32, 32)))
    assert document["views"] == [[32, 1, 1]]
    assert "1 view (amber)" in views_note(document)
