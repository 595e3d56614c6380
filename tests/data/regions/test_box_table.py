"""Boxes given by a file: read as written, moved with the crop, and refused by line where they are wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bincam.data import BoxTable, crop, write_box_table
from bincam.errors import InputError

ROWS = [("a.png", "star", 3, 4, 20, 30), ("b/c.png", "ring", 1.5, 2, 9, 9), ("a.png", "star", 40, 40, 50, 60)]


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "boxes.parquet"
    write_box_table(file, ROWS)
    got = BoxTable.read(file)
    assert got.of("a.png", "star").tolist() == [[3, 4, 20, 30], [40, 40, 50, 60]]
    assert got.of("b/c.png", "ring").tolist() == [[1.5, 2, 9, 9]]
    assert got.of("b/c.png", "star").shape == (0, 4)
    assert got.paths == {"a.png", "b/c.png"}
    assert got.names == {"star", "ring"}
    before = file.read_bytes()
    write_box_table(file, ROWS)
    assert file.read_bytes() == before
    write_box_table(file, [])
    assert BoxTable.read(file).boxes == {}


def test_boxes_move_with_the_crop(tmp_path):
    write_box_table(tmp_path / "boxes.parquet", ROWS)
    got = BoxTable.read(tmp_path / "boxes.parquet")
    matrix = crop.fit_matrix("stretch", (64, 64), (32, 128))
    star, ring = got.cropped("a.png", ["star", "ring"], matrix, (64, 64), (32, 128))
    np.testing.assert_allclose(star, [[6, 2, 40, 15], [80, 20, 100, 30]])
    assert ring.shape == (0, 4)
    with pytest.raises(InputError, match=r"a.png, star: box \(40, 40, 50, 60\) is not inside its image of 50 x 50"):
        got.cropped("a.png", ["star"], matrix, (50, 50), (32, 128))


def test_boxes_of_another_table_are_refused(tmp_path):
    write_box_table(tmp_path / "boxes.parquet", ROWS)
    got = BoxTable.read(tmp_path / "boxes.parquet")
    got.check(["a.png", "other.png"], ["ring"])
    with pytest.raises(InputError, match=r"no box is of an image of the table; the file has image 'a.png'; did you"):
        got.check(["x/a.png"], ["ring"])
    with pytest.raises(InputError, match="no box is of an attribute of the table; the file has attribute 'ring'"):
        got.check(["a.png"], ["Smiling"])


def test_files_that_are_none(tmp_path):
    file = tmp_path / "boxes.parquet"
    with pytest.raises(InputError, match="no such file"):
        BoxTable.read(file)
    file.write_text("no boxes")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        BoxTable.read(file)
    with pytest.raises(InputError, match=r"a table of boxes is a \.parquet file"):
        write_box_table(tmp_path / "boxes.csv", ROWS)


NOT_TEXT = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"], pa.binary()).buffers())


def stored(file, **changes):
    columns = {"path": ["a.png"], "name": ["star"], "x0": [0.0], "y0": [0.0], "x1": [4.0], "y1": [4.0]} | changes
    table = pa.table({key: value for key, value in columns.items() if value is not None})
    pq.write_table(table.replace_schema_metadata({"kind": "bincam-boxes", "schema": "1"}), file)
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x1": None}, "no column 'x1'"),
        ({"x1": [0.0]}, r"box 1 \(a.png, star\): box \(0, 0, 0, 4\) has no area"),
        ({"x1": [-3.0]}, "no area"),
        ({"y0": [float("nan")]}, "not a number"),
        ({"y0": pa.array([None], pa.float64())}, "must be numbers in every row"),
        ({"y0": ["four"]}, "must be numbers in every row"),
        ({"y0": ["4"]}, "must be numbers in every row; y0 is string"),
        ({"y0": [False]}, "must be numbers in every row; y0 is bool"),
        ({"y0": pa.array([10**14], pa.timestamp("s"))}, "must be numbers in every row; y0 is timestamp"),
        ({"path": [7]}, "columns path, name must be text in every row; path is int64"),
        ({"name": [b"star"]}, "must be text in every row; name is binary"),
        ({"name": NOT_TEXT}, "cannot be read as Parquet: .*UTF8"),
        ({"path": [""]}, "box 1 names no image"),
        ({"name": pa.array([None], pa.string())}, "box 1 names no attribute"),
    ],
)
def test_wrong_columns(tmp_path, changes, message):
    assert BoxTable.read(stored(tmp_path / "good.parquet")).names == {"star"}
    with pytest.raises(InputError, match=message):
        BoxTable.read(stored(tmp_path / "boxes.parquet", **changes))


def test_other_kinds_and_schemas(tmp_path):
    file = tmp_path / "boxes.parquet"
    pq.write_table(pa.table({"path": ["a.png"]}), file)
    with pytest.raises(InputError, match=r"expected a bincam-boxes file, got None; bincam.data.write_box_table"):
        BoxTable.read(file)
    pq.write_table(pa.table({"path": ["a"]}).replace_schema_metadata({"kind": "bincam-boxes", "schema": "9"}), file)
    with pytest.raises(InputError, match="schema '9', but this bincam reads schema 1"):
        BoxTable.read(file)


def test_a_wrong_box_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r"box 2 \(a.png, ring\): .*no area"):
        write_box_table(tmp_path / "boxes.parquet", [ROWS[0], ("a.png", "ring", 5, 5, 5, 9)])
    assert not (tmp_path / "boxes.parquet").exists()
