from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bincam.data import celeba, write_celeba, write_labels
from bincam.data.readers import celeba_labels
from bincam.data.readers.faces import celeba_writer
from bincam.errors import BincamError, InputError
from tests.data.conftest import equal, make_images, make_table
from tests.data.readers.faces.test_celeba import FILES


def test_reading_back_gives_the_same_table_and_writing_again_the_same_bytes(folder, table, tmp_path):
    read = celeba(folder)
    assert equal(read, table)
    assert read.root == folder / "img_align_celeba"
    again = write_celeba(read, (read.path(i) for i in range(len(read))), tmp_path / "again")
    assert equal(again, read)
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert read.path(3).read_bytes() == again.path(3).read_bytes()


def test_the_layout_is_that_of_the_originals(folder, table):
    lines = (folder / "list_attr_celeba.txt").read_text().splitlines()
    assert lines[:2] == ["12", "Bald Smiling Male "]
    assert lines[2] == "000001.jpg" + "".join(f" {2 * int(v) - 1:2d}" for v in table.labels[0])
    assert (folder / "list_eval_partition.txt").read_text().splitlines()[4] == "000005.jpg 1"
    head = (folder / "list_landmarks_align_celeba.txt").read_text().splitlines()[1]
    assert head.split() == [
        f"{p}_{a}" for p in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for a in "xy"
    ]


def test_fractional_points_are_rounded_to_the_pixel_and_negative_ones_kept(tmp_path):
    points = np.array([[[1.4, -2.6], [100.5, 7], [0, 0], [5, 5], [1234, 1]]])
    celeba_writer.write_landmarks(tmp_path / "p.txt", ["a.jpg"], points)
    rows = celeba_labels.read_landmarks(tmp_path / "p.txt")
    assert rows.values.tolist() == [[1, -3, 100, 7, 0, 0, 5, 5, 1234, 1]]


def test_large_identities_stay_exact(tmp_path):
    celeba_writer.write_identities(tmp_path / "identity_CelebA.txt", ["a.jpg", "b.jpg"], [2**40 + 1, "p_7"])
    _, names = celeba_labels.read_identities(tmp_path / "identity_CelebA.txt")
    assert names.tolist() == [str(2**40 + 1), "p_7"]


def test_what_the_format_cannot_represent_is_refused(table, tmp_path):
    labels = table.labels.copy()
    labels[2, 1] = np.nan
    splits = table.splits.copy()
    splits[3] = ""
    for broken, message in (
        (replace(table, labels=labels), r"'Smiling' of '000003\.jpg' is nan"),
        (replace(table, splits=splits), "'000004.jpg' is in split ''"),
        (replace(table, ids=("a b.jpg", *table.ids[1:])), "'a b.jpg' cannot be written"),
        (replace(table, groups={"camera": np.array(["x"] * 12)}), "no group columns"),
        (replace(table, landmarks=np.full((12, 5, 2), np.nan)), "'000001.jpg' is unknown"),
    ):
        with pytest.raises(InputError, match=message):
            write_labels(broken, tmp_path)


def test_images_may_be_arrays_pictures_bytes_or_files(tmp_path, folder):
    table = make_table(4)
    array = make_images(1)[0]
    stream = BytesIO()
    Image.fromarray(array).save(stream, "JPEG")
    file = folder / "img_align_celeba" / "000001.jpg"
    read = write_celeba(table, [array, Image.fromarray(array), stream.getvalue(), file], tmp_path / "x")
    assert read.path(2).read_bytes() == stream.getvalue()
    assert read.path(3).read_bytes() == file.read_bytes()
    for few in ([array] * 3, [array] * 5):
        with pytest.raises(BincamError, match="images"):
            write_celeba(table, few, tmp_path / "y")
    assert not (tmp_path / "y" / "list_attr_celeba.txt").exists()
