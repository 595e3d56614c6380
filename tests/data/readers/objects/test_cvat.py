from __future__ import annotations

import math

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.objects.cvat import cvat
from bincam.errors import InputError

META = "<meta><job><labels>{}</labels></job></meta>".format(
    "".join(f"<label><name>{name}</name></label>" for name in ("cat", "dog", "bird"))
)
IMAGES = """
<image id="0" name="a.jpg" width="64" height="48">
 <box label="cat" xtl="4.5" ytl="5.0" xbr="14.0" ybr="25.0" occluded="0"/>
 <box label="cat" xtl="20" ytl="20" xbr="40" ybr="30" rotation="90.0"/>
 <polygon label="dog" points="1.0,2.0;30.5,2.0;30.5,40.0"/>
</image>
<image id="3" name="sub/b.jpg" width="64" height="48"><tag label="dog"/>
 <mask label="cat" rle="0, 4" left="3" top="4" width="2" height="2"/></image>
<image id="4" name="c.jpg" width="64" height="48"></image>
"""


@pytest.fixture
def write(tmp_path):
    def written(images=IMAGES, meta=META):
        file = tmp_path / "annotations.xml"
        text = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{meta}{images}</annotations>'
        )
        file.write_text(text)
        return file

    return written


def test_labels_of_the_task_become_attributes(write):
    table = load(write())
    assert table.reading == {"format": "cvat"}
    assert table.names == ("cat", "dog", "bird")  # in the task's order, also the one that no image has
    np.testing.assert_array_equal(table.labels, [[1, 1, 0], [1, 1, 0], [np.nan] * 3])
    assert table.ids[1] == "sub/b.jpg"
    assert table.root.name == "images"
    boxes = table.objects.of("a.jpg", "cat")
    np.testing.assert_allclose(boxes, [[4.5, 5, 14, 25], [25, 15, 35, 35]], atol=1e-9)  # a quarter about the centre
    assert table.objects.of("a.jpg", "dog").tolist() == [[1, 2, 30.5, 40]]
    assert table.objects.of("sub/b.jpg", "cat").tolist() == [[3, 4, 5, 6]]
    assert not len(table.objects.of("sub/b.jpg", "dog"))  # a tag is no box
    assert cvat(write(), unannotated="absent").labels[2].tolist() == [0, 0, 0]
    turned = IMAGES.replace("90.0", "45")
    side = (20 + 10) / math.sqrt(2)
    x0, _, x1, _ = cvat(write(turned)).objects.of("a.jpg", "cat")[1]
    assert x1 - x0 == pytest.approx(side)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<image id", "<track/><image id"), "annotations of a video"),
        (('label="dog" points', 'label="cow" points'), "label 'cow' is none of the task's"),
        (('xtl="4.5"', 'xtl="w"'), "xtl of <box> is 'w'; expected a number"),
        (('xtl="4.5"', 'xtl="44.5"'), "box of cat: box .* has no area"),
        (('points="1.0,2.0;', 'points="1.0;'), "expected x,y;x,y"),
        (('name="c.jpg"', 'name="a.jpg"'), "image 'a.jpg' occurs twice"),
        (('width="64" height="48"></image>', "></image>"), "image 'c.jpg': width is None"),
    ],
)
def test_malformed_files_are_refused(write, change, message):
    with pytest.raises(InputError, match=message):
        cvat(write(IMAGES.replace(*change, 1)))


def oval(**changes):
    values = {"cx": 30, "cy": 20, "rx": 10, "ry": 5, "rotation": 90, **changes}
    stated = " ".join(f'{name}="{value}"' for name, value in values.items())
    return IMAGES.replace("<polygon", f'<ellipse label="bird" {stated}/><polygon', 1)


def test_an_ellipse_has_the_upright_box_around_it(write):
    box = cvat(write(oval())).objects.of("a.jpg", "bird")
    np.testing.assert_allclose(box, [[25, 10, 35, 30]], atol=1e-9)  # a quarter about the centre
    with pytest.raises(
        InputError, match=r"image 'a\.jpg': ellipse of bird: radii are -10 and 5; expected numbers above"
    ):
        cvat(write(oval(rx=-10)))
    with pytest.raises(InputError, match=r"ellipse of bird: box .* has no area; .* skip such boxes: bad_boxes='skip'"):
        cvat(write(oval(ry=0, rotation=45)))


def test_labels_are_those_found_where_no_task_is_described(write):
    assert cvat(write(meta="")).names == ("cat", "dog")
    with pytest.raises(InputError, match="no labels in it"):
        cvat(write('<image id="0" name="a.jpg" width="4" height="4"/>', meta=""))
