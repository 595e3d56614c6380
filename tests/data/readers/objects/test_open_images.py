from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bincam.data import load
from bincam.data.readers.objects.open_images import open_images
from bincam.errors import InputError

HEAD = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"


@pytest.fixture
def files(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name, size in (("0a", (200, 100)), ("0b", (80, 80)), ("0c", (10, 10))):
        Image.new("RGB", size).save(images / f"{name}.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (80, 40)).save(images / "0d.jpg", exif=turned)
    rows = [
        "0a,xclick,/m/cat,1,0.25,0.5,0.1,0.9,0,0,0,0,0",
        "0a,xclick,/m/dog,1,0,1,0,1,0,0,1,0,0",
        "0b,activemil,/m/cat,1,0.5,1.0,0,0.5,-1,-1,-1,-1,-1",
        "0d,xclick,/m/cat,1,0,0.5,0,0.5,0,0,0,1,0",
    ]
    (tmp_path / "validation-annotations-bbox.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "classes.csv").write_text('/m/cat,Cat\n/m/dog,"Dog, large"\n/m/x,Unused\n')
    (tmp_path / "labels.csv").write_text(
        "ImageID,Source,LabelName,Confidence\n0a,verification,/m/cat,1\n0b,verification,/m/dog,0\n"
        "0c,crowdsource-verification,/m/dog,1\n"
    )
    return tmp_path


def test_shares_become_pixels_and_absence_is_stated(files):
    file = files / "validation-annotations-bbox.csv"
    table = load(file, images=files / "images", classes=files / "classes.csv", verified=files / "labels.csv")
    assert table.reading["format"] == "open_images"
    assert table.names == ("Cat", "Dog, large")
    assert table.ids == ("0a.jpg", "0b.jpg", "0d.jpg", "0c.jpg")
    nan = np.nan
    # Without a verified 0, a class without a box is unknown; a group states its class and has no box of an object.
    np.testing.assert_array_equal(table.labels, [[1, 1], [1, 0], [1, nan], [nan, 1]])
    assert table.objects.of("0a.jpg", "Cat").tolist() == [[50, 10, 100, 90]]
    assert table.objects.of("0b.jpg", "Cat").tolist() == [[40, 0, 80, 40]]
    assert table.objects.of("0d.jpg", "Cat").tolist() == [[0, 0, 20, 40]]  # of the upright image, 40 x 80
    assert not len(table.objects.of("0a.jpg", "Dog, large"))
    codes = open_images(file, images=files / "images")
    assert codes.names == ("/m/cat", "/m/dog")
    assert np.isnan(codes.labels[1, 1])


def test_what_contradicts_itself_is_refused(files):
    file, images = files / "validation-annotations-bbox.csv", files / "images"
    (files / "classes.csv").write_text("/m/cat,Cat\n")
    with pytest.raises(InputError, match="no name of class '/m/dog'"):
        open_images(file, images=images, classes=files / "classes.csv")
    (files / "classes.csv").write_text("/m/cat,Cat\n/m/dog,Cat\n")
    with pytest.raises(InputError, match="two classes are called 'Cat'"):
        open_images(file, images=images, classes=files / "classes.csv")
    (files / "labels.csv").write_text("ImageID,Source,LabelName,Confidence\n0a,machine,/m/cat,0.8\n")
    with pytest.raises(InputError, match=r"labels\.csv:2: Confidence is '0.8'"):
        open_images(file, images=images, verified=files / "labels.csv")
    (images / "0a.jpg").unlink()
    with pytest.raises(InputError, match=r"0a\.jpg: no such file"):
        open_images(file, images=images)
    file.write_text(HEAD + "0b,xclick,/m/cat,1,0.5,0.25,0.1,0.9,0,0,0,0,0\n")
    with pytest.raises(InputError, match=r"bbox\.csv:2: box .* has no area"):
        open_images(file, images=images)
    with pytest.raises(InputError, match="format open_images needs images"):
        load(file)
