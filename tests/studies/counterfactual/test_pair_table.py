"""Tables of pairs: what is read, and what is refused with its line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bincam.errors import InputError
from bincam.studies.counterfactual.pair_table import read_pairs

HEAD = "attribute,image,flipped,influence,identity,label,flipped_label"


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    file = folder / "pairs.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_a_row_is_a_pair(tmp_path: Path) -> None:
    read = read_pairs(table(tmp_path, "Hat,a.png,b.png,m.png,ann,1,0", "Smile,a.png,c.png,,,0,0"), ["Hat", "Smile"])
    hat, smile = read.pairs
    assert (hat.image, hat.flipped, hat.influence) == (tmp_path / "a.png", tmp_path / "b.png", tmp_path / "m.png")
    assert (hat.identity, hat.direction) == ("ann", -1.0)
    assert smile.influence is None
    assert smile.identity == "image a.png"  # pairs of one original depend on each other
    assert math.isnan(smile.direction)
    assert read.attributes == ("Hat", "Smile")
    assert [pair.attribute for pair in read.of(["Smile"]).pairs] == ["Smile"]


def test_what_faces_pairs_writes_is_read(tmp_path: Path) -> None:
    from bincam.faces.counterfactuals.writer import write_pairs

    write_pairs(tmp_path / "faces", ["Eyeglasses", "Smiling"], 2, size=(64, 80))
    read = read_pairs(tmp_path / "faces" / "pairs.csv")
    assert len(read.pairs) == 4
    assert read.named
    assert len(read.digest()) == 64
    assert all(pair.influence is not None and pair.influence.is_file() for pair in read.pairs)


def test_the_digest_is_of_the_files(tmp_path: Path) -> None:
    file = table(tmp_path, "Hat,a.png,b.png,,ann,,")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"one")
    before = read_pairs(file).digest()
    assert read_pairs(file).digest() == before
    (tmp_path / "b.png").write_bytes(b"two")
    assert read_pairs(file).digest() != before
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: no such file"):
        read_pairs(file).digest()


@pytest.mark.parametrize(
    ("rows", "head", "message"),
    [
        (["Hat,a.png"], "attribute,image", "no column 'flipped'"),
        (["Hat,a.png,b.png"], "atribute,image,flipped", "no column 'attribute'.*'atribute'"),
        (["Hat,,b.png,,,,"], HEAD, r"pairs\.csv:2: empty cell in column 'image'"),
        (["Hat,a,b,,,,", "Hatt,a,b,,,,"], HEAD, r"pairs\.csv:3: the model has no output 'Hatt'.*'Hat'"),
        (["Hat,a,b,,,yes,0"], HEAD, r"pairs\.csv:2: 'yes' in column 'label'"),
        ([], HEAD, "no rows"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, rows: list[str], head: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(table(tmp_path, *rows, head=head), ["Hat"])


def test_an_attribute_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pair of 'Hot'; did you mean 'Hat'"):
        read_pairs(table(tmp_path, "Hat,a,b,,,,")).of(["Hot"])
