import json

import pytest

from bincam.data.regions.stored_boxes import StoredBoxes, read_boxes, write_boxes
from bincam.errors import InputError

PARTS = {0: {"name": "ground", "attributes": []}, 1: {"name": "eye", "attributes": ["Eyes", "Narrow_Eyes"]}}
IMAGES = {"a.png": [[1, 2, 3, 8, 9], [1, 12, 3, 18, 9]], "b.png": []}


def test_written_and_read(tmp_path):
    write_boxes(tmp_path / "boxes.json", PARTS, IMAGES)
    stored = read_boxes(tmp_path / "boxes.json")
    assert stored.of("a.png", "Eyes").tolist() == [[2, 3, 8, 9], [12, 3, 18, 9]]
    assert stored.of("b.png", "Narrow_Eyes").shape == (0, 4)
    assert stored.parts == PARTS


def test_unknown_names_are_refused():
    stored = StoredBoxes(PARTS, IMAGES, "boxes.json")
    with pytest.raises(InputError, match=r"boxes\.json: no image 'c\.png'"):
        stored.of("c.png", "Eyes")
    with pytest.raises(InputError, match="no part shows 'Eye'; did you mean 'Eyes'"):
        stored.of("a.png", "Eye")


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ({"a.png": [[1, 2, 3, 2, 9]]}, "'a.png': .* is no box"),
        ({"a.png": [[1, 2, 3, 8]]}, "is no box"),
        ({"a.png": [[7, 2, 3, 8, 9]]}, "is no box"),
        ({"a.png": [["eye", 2, 3, 8, 9]]}, "cannot be read as boxes: ValueError"),
        ({"a.png": 5}, "cannot be read as boxes: TypeError"),
        ({"a.png": [[]]}, "cannot be read as boxes: IndexError"),
        ([], "cannot be read as boxes: AttributeError"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, images, words):
    write_boxes(tmp_path / "boxes.json", PARTS, IMAGES)
    value = json.loads((tmp_path / "boxes.json").read_text())
    (tmp_path / "boxes.json").write_text(json.dumps({**value, "images": images}))
    with pytest.raises(InputError, match=words):
        read_boxes(tmp_path / "boxes.json")
