from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.faces.maad_face import maad_face
from bincam.data.readers.sources import large_csv
from bincam.errors import InputError

TEXT = (
    "Filename,Identity,Male,Young,Bald\nn000002/0001_01.jpg,n000002,1,0,-1\nn000002/0002_01.jpg,n000002,1,-1,0\n"
    "n000010/0001_01.jpg,n000010,-1,1,0\n"
)


@pytest.fixture
def write(tmp_path):
    def written(text=TEXT):
        (tmp_path / "MAAD_Face.csv").write_text(text)
        return tmp_path / "MAAD_Face.csv"

    return written


def test_zero_is_undefined_and_not_no(write):
    table = load(write())
    nan = np.nan
    np.testing.assert_array_equal(table.labels, [[1, nan, 0], [1, 0, nan], [0, 1, nan]])
    assert table.names == ("Male", "Young", "Bald")
    assert table.ids[2] == "n000010/0001_01.jpg"
    assert table.identities.tolist() == ["n000002", "n000002", "n000010"]
    assert table.meaning == ("labels: 1 = yes, -1 = no, 0 = unknown, empty = unknown",)
    assert load(write().parent).digest() == table.digest()  # the folder is recognised, too
    np.testing.assert_array_equal(load(write(TEXT.replace("1,0,-1", ",0,-1"))).labels[0], [nan, nan, 0])
    some = load(write(), attributes=["Bald", "Male"])
    assert some.names == ("Bald", "Male")
    np.testing.assert_array_equal(some.labels, table.labels[:, [2, 0]])
    assert some.reading == {"format": "maad_face", "attributes": ["Bald", "Male"]}


def test_blocks_of_a_few_lines_give_the_same_table_and_lines(write, monkeypatch):
    rows = [f"n{i // 3:06d}/{i:04d}_01.jpg,n{i // 3:06d},{i % 3 - 1},{(i + 1) % 3 - 1},0" for i in range(500)]
    text = "\n".join(["Filename,Identity,Male,Young,Bald", *rows]) + "\n"
    whole = maad_face(write(text))
    monkeypatch.setattr(large_csv, "BLOCK", 1000)
    assert maad_face(write(text)).digest() == whole.digest()
    assert maad_face(write(text.rstrip("\n"))).digest() == whole.digest()
    assert maad_face(write(text + "\n\n")).digest() == whole.digest()
    assert whole.labels.shape == (500, 3)
    with pytest.raises(InputError, match=r"MAAD_Face\.csv:202: an empty line"):
        maad_face(write("\n".join(["Filename,Identity,Male,Young,Bald", *rows[:200], "", *rows[200:]])))
    rows[321] = rows[321][:-1] + "no"
    with pytest.raises(InputError, match=r"MAAD_Face\.csv:323: not readable: .*'no'"):
        maad_face(write("\n".join(["Filename,Identity,Male,Young,Bald", *rows])))
    rows[321] = rows[321].removesuffix("no") + "3"
    with pytest.raises(InputError, match=r"MAAD_Face\.csv:323: 'Bald' is 3"):
        maad_face(write("\n".join(["Filename,Identity,Male,Young,Bald", *rows])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("1,-1,0", "1,-1,2"), r"MAAD_Face\.csv:3: 'Bald' is 2; labels are 1 = yes, -1 = no"),
        (("1,-1,0", "1,x,0"), r"MAAD_Face\.csv:3: not readable: .*'x'"),
        (("1,-1,0", "1,0"), "not readable: .*Expected 5 columns, got 4"),
        (("Filename", "File"), "no column 'Filename'"),
        (("n000002/0002", "n000002/0001"), "image 'n000002/0001_01.jpg' occurs twice"),
    ],
)
def test_malformed_files_are_refused(write, change, message):
    with pytest.raises(InputError, match=message):
        maad_face(write(TEXT.replace(*change, 1)))


def test_unknown_attributes_are_refused(write, tmp_path):
    with pytest.raises(InputError, match="no attribute 'Bold'; did you mean 'Bald'"):
        maad_face(write(), attributes=["Bold"])
    with pytest.raises(InputError, match="no such file"):
        maad_face(tmp_path / "nowhere.csv")
