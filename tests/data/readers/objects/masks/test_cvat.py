from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load, load_masks, load_regions
from bincam.errors import InputError

XML = """<annotations><image id="0" name="a.jpg" width="8" height="6">
 <polygon label="dog" points="1,1;4,1;4,3;1,3"/>
 <mask label="cat" rle="1, 2, 1" left="5" top="3" width="2" height="2"/>
 <mask label="cat" rle="0, 1" left="0" top="5" width="1" height="1"/>
 <ellipse label="bird" cx="4" cy="3" rx="4" ry="1" rotation="90"/>
 <box label="cow" xtl="0" ytl="0" xbr="4" ybr="4"/></image>
</annotations>"""


@pytest.fixture
def write(tmp_path):
    def written(*change):
        file = tmp_path / "annotations.xml"
        file.write_text(XML.replace(*change, 1) if change else XML)
        return file

    return written


def test_masks_polygons_and_ellipses_are_regions(write):
    file = write()
    table = load(file)
    regions = load_masks(file, table)
    found = dict(zip(table.names, regions.masks(table.names, (6, 8), image="a.jpg"), strict=True))
    cat = np.zeros((6, 8), bool)
    cat[3, 6] = cat[4, 5] = cat[5, 0] = True  # rows of the box: outside, inside; inside, outside
    np.testing.assert_array_equal(found["cat"], cat)
    assert (found["dog"].sum(), found["dog"][1:3, 1:4].all()) == (6, True)
    assert (found["bird"].sum(), found["bird"][:, 3:5].all()) == (12, True)  # upright after the quarter turn
    assert found["cow"] is None  # a box is no mask
    assert table.objects.of("a.jpg", "bird").round(6).tolist() == [[3, 0, 5, 6]]
    larger = regions.mask("cat", (12, 16), image="a.jpg")
    np.testing.assert_array_equal(larger, np.kron(cat, np.ones((2, 2))) > 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('left="5"', 'left="7"'), r"image 'a\.jpg': mask of cat: its box of 2 x 2 pixels at 7, 3 is not inside"),
        (('rle="1, 2, 1"', 'rle="1, 2"'), "run lengths of 3 pixels, but its box has 4"),
        (('rle="1, 2, 1"', 'rle="1;2"'), "rle is no list of run lengths"),
        (('rle="1, 2, 1" ', ""), "rle is no list of run lengths"),
        (('top="3"', 'top="nan"'), "top is 'nan'; expected a number"),
        (('rx="4"', 'rx="0"'), "ellipse of bird: radii are 0 and 1"),
        (('points="1,1;', 'points="1,1,1;'), "expected x,y;x,y"),
        (('width="8"', 'width="0"'), "0 x 6 pixels"),
        (('width="8"', 'width="99999999999"'), r"mask of cat in a\.jpg: claims 99,999,999,999 x 6 pixels"),
        (("<annotations>", '<?xml version="1.0" encoding="nan"?><annotations>'), "cannot be read: unknown encoding"),
    ],
)
def test_malformed_masks_are_refused(write, change, message):
    with pytest.raises(InputError, match=message):
        load_regions(str(write(*change)), "elsewhere").mask("cat", (6, 8), image="a.jpg")


def test_boxes_alone_are_no_masks(write):
    file = write()
    file.write_text(
        f"{XML[: XML.index('<polygon')]}<box label='c' xtl='0' ytl='0' xbr='4' ybr='4'/></image></annotations>"
    )
    with pytest.raises(InputError, match="no masks, polygons or ellipses in it; a box is no mask"):
        load_regions(str(file), "elsewhere")
