"""Records of shards: read as written, and told in one line where a file is damaged or another one."""

import io

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.generated.records import read_record, record_path, write_record

ARRAYS = {"labels": np.ones((3, 4), bool), "boxes": np.arange(12.0).reshape(3, 4), "scene": np.arange(5)}
FORMS = {"labels": ("b", ("N", 4)), "boxes": ("f", ("N", 4)), "scene": ("i", ("M",))}


@pytest.fixture
def file(tmp_path):
    place = record_path(tmp_path, 7)
    write_record(place, ARRAYS)
    return place


def changed(**arrays):
    content = io.BytesIO()
    np.savez(content, **{**ARRAYS, **arrays})
    return content.getvalue()


def lone():
    content = io.BytesIO()
    np.save(content, np.arange(3))
    return content.getvalue()


def test_what_is_written_is_read(file):
    assert file.name == "000007.npz"
    stored = read_record(file, FORMS, 3)
    assert stored.keys() == ARRAYS.keys()
    assert all(np.array_equal(stored[name], ARRAYS[name]) for name in ARRAYS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a zip file"),
        (b"image,label\n", "not a zip file"),
        (lone(), "not a zip file"),
        (changed()[:300], "not a zip file"),
        (changed().replace(ARRAYS["boxes"].tobytes(), bytes(96)), "Bad CRC-32 for file 'boxes.npy'"),
        (changed(labels=np.array([{}], object)), "allow_pickle=False"),
        (changed(labels=np.ones((2, 4), bool)), r"labels is bool of shape \(2, 4\)"),
        (changed(boxes=np.ones((3, 4), int)), "boxes is int64"),
        (changed(boxes=np.full((3, 4), np.nan)), "boxes is not finite"),
    ],
)
def test_a_damaged_record_says_how_to_go_on(file, content, words):
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"000007\.npz: damaged \(.*{words}.*\); delete it and run the same") as error:
        read_record(file, FORMS, 3)
    assert "\n" not in str(error.value)


def test_absent_arrays_and_lengths_that_differ_are_told(file):
    with pytest.raises(InputError, match="digests is not a file in the archive"):
        read_record(file, {**FORMS, "digests": ("u", ("N", 2, 32))}, 3)
    with pytest.raises(InputError, match="scene is int64"):
        read_record(file, {**FORMS, "boxes": ("f", ("M", 4))}, 3)
    with pytest.raises(InputError, match="labels is bool of shape"):
        read_record(file, FORMS, 4)
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match="damaged"):
        read_record(file, FORMS, 3)
