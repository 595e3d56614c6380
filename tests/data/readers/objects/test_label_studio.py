from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.objects.label_studio import label_studio
from bincam.errors import InputError


def region(label: str, x: float, y: float, width: float, height: float, rotation: float = 0) -> dict:
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation, "rectanglelabels": [label]}
    return {"type": "rectanglelabels", "original_width": 200, "original_height": 100, "value": value}


def tasks() -> list[dict]:
    choice = {"type": "choices", "from_name": "quality", "value": {"choices": ["blurred", "dark"]}}
    polygon = {
        "type": "polygonlabels", "original_width": 200, "original_height": 100,
        "value": {"points": [[10, 10], [20, 10], [20, 50]], "polygonlabels": ["dog"]},
    }  # fmt: skip
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    return [
        {
            "id": 1,
            "data": {"image": "/data/local-files/?d=birds%2Fmine%2Fa%20b.jpg"},
            "annotations": [{"id": 4, "was_cancelled": False, "result": [region("cat", 25, 10, 50, 80), polygon,
                                                                        choice, relation]}],
            "predictions": [{"result": [region("cow", 0, 0, 1, 1)]}],
        },
        {"id": 2, "data": {"image": "https://x.org/i/b.jpg?v=2"}, "annotations": [{"result": []}]},
        {"id": 3, "data": {"image": "s3://bucket/c.jpg"}, "annotations": [{"was_cancelled": True, "result": []}]},
        {"id": 4, "data": {"image": "/data/upload/1/d.jpg"}, "annotations": []},
        {"id": 5, "data": {"image": "e.jpg"}, "annotations": [{"result": [region("cat", 50, 50, 10, 40, 90)]}]},
    ]  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def written(change=lambda _: None):
        value = tasks()
        change(value)
        (tmp_path / "project-1.json").write_text(json.dumps(value))
        return tmp_path / "project-1.json"

    return written


def test_an_empty_annotation_is_no_and_a_skipped_one_is_unknown(write):
    table = load(write())
    assert table.reading == {"format": "label_studio"}
    assert table.names == ("blurred", "cat", "dark", "dog")  # not the prediction's cow
    assert table.ids == ("a b.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    nan = [np.nan] * 4
    np.testing.assert_array_equal(table.labels, [[1, 1, 1, 1], [0] * 4, nan, nan, [0, 1, 0, 0]])
    assert table.objects.of("a b.jpg", "cat").tolist() == [[50, 10, 150, 90]]  # percent of 200 x 100
    assert table.objects.of("a b.jpg", "dog").tolist() == [[20, 10, 40, 50]]
    # Turned by a quarter about its corner (100, 50), 20 x 40 pixels reach 40 to the left and 20 down.
    np.testing.assert_allclose(table.objects.of("e.jpg", "cat"), [[60, 50, 100, 70]], atol=1e-9)


def oval(**changes):
    value = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 40, "rotation": 90, "ellipselabels": ["cat"], **changes}

    def change(tasks):
        first = tasks[4]["annotations"][0]["result"][0]
        tasks[4]["annotations"][0]["result"] = [{**first, "type": "ellipselabels", "value": value}]

    return change


def test_an_ellipse_has_the_upright_box_around_it(write):
    box = label_studio(write(oval())).objects.of("e.jpg", "cat")
    np.testing.assert_allclose(box, [[60, 30, 140, 70]], atol=1e-9)  # of 20 and 40 pixels, turned by a quarter
    with pytest.raises(InputError, match="task 5: cat: radii are 10 and -40; expected numbers above 0"):
        label_studio(write(oval(radiusY=-40)))
    with pytest.raises(InputError, match=r"task 5: cat: box .* has no area"):
        label_studio(write(oval(radiusX=0)))


def test_several_annotations_need_a_choice(write):
    def twice(value):
        value[1]["annotations"].append({"result": [region("cat", 1, 1, 2, 2)]})

    with pytest.raises(InputError, match="task 2: 2 annotations; state which counts: several='first'"):
        label_studio(write(twice))
    assert label_studio(write(twice), several="first").labels[1, 1] == 0
    assert label_studio(write(twice), several="last").labels[1, 1] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[0].pop("annotations"), "JSON-MIN has none"),
        (lambda v: v[0]["data"].update(image=3), "data has no address under 'image'"),
        (lambda v: v[1]["data"].update(image="other/a b.jpg"), "image 'a b.jpg' occurs twice"),
        (lambda v: v[4]["annotations"][0]["result"][0].pop("original_width"), "without original_width"),
        (lambda v: v[4]["annotations"][0]["result"][0]["value"].pop("x"), "a rectangle has the numbers"),
        (lambda v: v[4]["annotations"][0]["result"][0]["value"].update(y=95), "not inside its image"),
        (lambda v: v.append(3), "expected a list of tasks"),
    ],
)
def test_malformed_files_are_refused(write, change, message):
    with pytest.raises(InputError, match=message):
        label_studio(write(change))
