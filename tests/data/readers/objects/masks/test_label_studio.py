from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.data import load, load_masks
from bincam.errors import InputError
from tests.data.regions.packed import packed, painted

PAINTED = np.zeros((6, 10), np.uint8)
PAINTED[2:4, 3:7] = 255
PAINTED[4, 3] = 90  # of less than half


def tasks() -> list[dict]:
    def region(kind: str, label: str, **value: object) -> dict:
        return {"type": kind, "original_width": 10, "original_height": 6, "value": {**value, kind: [label]}}

    results = [
        region("brushlabels", "cat", format="rle", rle=list(packed(painted(PAINTED)))),
        region("polygonlabels", "dog", points=[[10, 0], [50, 0], [50, 50], [10, 50]]),
        region("ellipselabels", "bird", x=50, y=50, radiusX=20, radiusY=50, rotation=0),
        region("rectanglelabels", "cow", x=0, y=0, width=50, height=50, rotation=0),
    ]
    return [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": results}]}]


@pytest.fixture
def write(tmp_path):
    def written(change=lambda _: None):
        value = tasks()
        change(value[0]["annotations"][0]["result"])
        (tmp_path / "project.json").write_text(json.dumps(value))
        return tmp_path / "project.json"

    return written


def test_what_was_painted_and_polygons_and_ellipses_are_regions(write):
    table = load(write())
    regions = load_masks(write(), table)
    found = dict(zip(table.names, regions.masks(table.names, (6, 10), image="a.jpg"), strict=True))
    np.testing.assert_array_equal(found["cat"], PAINTED >= 128)
    assert (found["dog"].sum(), found["dog"][:3, 1:5].all()) == (12, True)
    assert found["bird"].sum() == 20  # of radii 2 and 3 about (5, 3)
    assert table.objects.of("a.jpg", "bird").tolist() == [[3, 0, 7, 6]]
    assert found["cow"] is None
    assert not len(table.objects.of("a.jpg", "cat"))


def test_options_of_the_table_name_the_images_of_its_masks(write):
    file = write()
    value = json.loads(file.read_text())
    value[0]["data"] = {"photo": "https://x.org/b.jpg"}
    value[0]["annotations"].append({"result": []})
    file.write_text(json.dumps(value))
    table = load(file, image_key="photo", several="first")
    assert load_masks(file, table).mask("cat", (6, 10), image="b.jpg").sum() == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[0]["value"].update(rle=r[0]["value"]["rle"][:-1]), "task 1: cat: ends before all of its values"),
        (lambda r: r[0]["value"].update(rle="x"), "brush labels have the list rle of numbers"),
        (lambda r: r[0]["value"].update(rle=[300]), "brush labels have the list rle of numbers"),
        (
            lambda r: [one.update(original_width=11) for one in r],
            "240 values, but four for each pixel of the image are 264",
        ),
        (lambda r: r[1].update(original_width=11), "of images of 10 x 6 and of 11 x 6 pixels"),
        (lambda r: r[1]["value"].update(points=[]), "points of a polygon are"),
        (lambda r: r[1]["value"].update(points=[[1, float("nan")]] * 3), "points of a polygon are"),
        (lambda r: r[2]["value"].pop("radiusX"), "an ellipse has the numbers x, y, radiusX, radiusY"),
        (lambda r: r[2]["value"].update(radiusX=0), "radii are 0 and 50"),
        (lambda r: r[2].update(value=[1]), "ellipselabels are None"),
        (lambda r: r.__delitem__(slice(0, 3)), "no brush labels, polygons or ellipses"),
    ],
)
def test_malformed_masks_are_refused(write, change, message):
    table = load(write())
    with pytest.raises(InputError, match=message):
        load_masks(write(change), table).mask("cat", (6, 10), image="a.jpg")
