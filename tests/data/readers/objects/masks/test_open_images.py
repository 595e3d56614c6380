from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bincam.data import load, load_masks, load_regions
from bincam.errors import InputError

HEAD = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks\n"
LIST = "validation-annotations-object-segmentation.csv"


def draw(file, size, *boxes):
    mask = np.zeros(size, bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(mask).save(file)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "images" / "0a.jpg")
    draw(tmp_path / "masks-0" / "0a_cat_1.png", (10, 20), (0, 0, 4, 4))
    draw(tmp_path / "masks-1" / "0a_cat_2.png", (20, 40), (20, 10, 30, 20))  # of the image in twice its size
    rows = ["0a_cat_1.png,0a,/m/cat,1,0,1,0,1,0.9,", "0a_cat_2.png,0a,/m/cat,2,0,1,0,1,0.8,0.1 0.2 1"]
    (tmp_path / LIST).write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "validation-annotations-bbox.csv").write_text(
        "ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n0a,/m/cat,0,0.2,0,0.4,0\n"
    )
    (tmp_path / "classes.csv").write_text("/m/cat,Cat\n")
    return tmp_path


def test_masks_of_several_objects_are_one_and_those_of_other_sizes_are_stretched(files):
    box, images = files / "validation-annotations-bbox.csv", files / "images"
    expected = np.zeros((10, 20), bool)
    expected[:4, :4] = expected[5:, 10:15] = True
    for options, name in (({}, "/m/cat"), ({"classes": files / "classes.csv"}, "Cat")):
        table = load(box, images=images, **options)
        assert table.names == (name,)
        regions = load_masks(files / LIST, table)
        mask = regions.mask(name, (10, 20), image="0a.jpg", stored=(10, 20))
        np.testing.assert_array_equal(mask, expected)
        assert regions.shapes[""].may_show(name)
    assert load_regions(str(files / LIST), box).mask("/m/cat", (10, 20), image="0b.jpg") is None


def test_a_mask_of_other_proportions_or_a_missing_one_is_refused(files):
    regions = load_regions(str(files / LIST), "elsewhere")
    with pytest.raises(InputError, match=r"0a_cat_1\.png: 20 x 10 pixels, but its image 0a\.jpg has 10 x 10"):
        regions.mask("/m/cat", (10, 10), image="0a.jpg", stored=(10, 10))
    (files / "masks-1" / "0a_cat_2.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"0a_cat_2\.png: cannot be read as a mask"):
        regions.mask("/m/cat", (10, 20), image="0a.jpg")
    (files / "masks-1" / "0a_cat_2.png").unlink()
    with pytest.raises(InputError, match=r"0a_cat_2\.png: no such file, but .*csv lists it as a mask of 0a\.jpg"):
        regions.mask("/m/cat", (10, 20), image="0a.jpg")
    (files / "masks-0" / "0a_cat_1.png").unlink()
    with pytest.raises(InputError, match=r"none of its 2 masks, such as 0a_cat_1\.png, is in its folder"):
        load_regions(str(files / LIST), "elsewhere")
    (files / LIST).write_text(HEAD)
    with pytest.raises(InputError, match="no masks in it"):
        load_regions(str(files / LIST), "elsewhere")
    (files / LIST).write_text("")
    with pytest.raises(InputError, match=r"\.csv:1: an empty file, or an empty first line; expected a header$"):
        load_regions(str(files / LIST), "elsewhere")
    with pytest.raises(InputError, match=r"bbox\.csv: expected a folder of masks, or COCO's"):
        load_masks(
            files / "validation-annotations-bbox.csv",
            load(files / "validation-annotations-bbox.csv", images=files / "images"),
        )
    with pytest.raises(InputError, match="nowhere: no such folder or file; expected a folder of masks, or COCO's or"):
        load_masks(files / "nowhere", load(files / "validation-annotations-bbox.csv", images=files / "images"))
