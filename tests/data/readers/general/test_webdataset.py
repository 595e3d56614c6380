from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from bincam.data import load, loader
from bincam.data.images import decode
from bincam.errors import BincamWarning, InputError
from tests.data.readers.general.layouts import png, write_tar


def sample(key: str, number: int, **texts: object) -> dict[str, bytes]:
    """An image and its texts, as members."""
    parts = {ending: text if isinstance(text, bytes) else str(text).encode() for ending, text in texts.items()}
    return {f"{key}.png": png(number)} | {f"{key}.{ending}": part for ending, part in parts.items()}


@pytest.fixture
def folder(tmp_path):
    for shard, split in enumerate(("train", "train", "val")):
        members: dict[str, bytes] = {}
        for i in range(3):
            number = 3 * shard + i
            about = json.dumps({"smiling": bool(i % 2), "camera": f"c{i}", "age": 30 + i, "box": [1, 2]})
            members |= sample(f"v1.0/{split}.d/{number:03}", number, cls=number % 3, json=about)
            members[f"v1.0/{split}.d/{number:03}.seg.png"] = png(99)
        write_tar(tmp_path / f"{split}-{shard:06}.tar", members)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*left aside")
def test_samples_are_grouped_by_their_keys(folder):
    read = load(folder, classes=["cat", "dog", "owl"], groups=["camera"])
    assert read.counts() == {"train": 6, "validation": 3}
    assert read.one_of == {"class": ("class=cat", "class=dog", "class=owl")}
    assert read.ids[4] == "train-000001.tar#v1.0/train.d/004.png"
    assert read.select(["class"]).labels.argmax(1).tolist() == [0, 1, 2] * 3
    assert read.labels[:, read.index("smiling")].tolist() == [0, 1, 0] * 3
    assert read.groups["camera"].tolist() == ["c0", "c1", "c2"] * 3
    for row in range(9):
        np.testing.assert_array_equal(decode(read.path(row)), decode(png(row)))
    assert load(folder, **read.reading).digest() == read.digest()
    parts = load(folder, image="seg.png")
    np.testing.assert_array_equal(decode(parts.path(3)), decode(png(99)))


@pytest.mark.filterwarnings("ignore:.*left aside")
def test_processes_share_nothing_and_see_every_sample_once(folder):
    read = load(folder)
    for workers in (0, 2):
        seen = []
        for rank in range(2):
            batches = loader(read, size=8, workers=workers, batch_size=2, shuffle=True, rank=rank, world=2)
            seen += [int(row) for batch in batches for row in batch.rows]
        assert sorted(seen) == list(range(9))


def test_texts_are_classes_and_columns_without_meaning_are_told(tmp_path):
    members = {k: v for i in range(4) for k, v in sample(f"{i}", i, cls=["dog", "cat"][i % 2], txt=f"t {i}").items()}
    file = write_tar(tmp_path / "a.tar", members)
    with pytest.warns(BincamWarning, match="nothing says what they mean: txt"):
        read = load(file)
    assert read.names == ("class=cat", "class=dog")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load(file, groups=["txt"], one_of_columns=["cls"])
    assert again.names == ("cls=cat", "cls=dog")
    coded = {k: v for i in range(3) for k, v in sample(f"{i}", i, json=json.dumps({"Bald": i - 1})).items()}
    file = write_tar(tmp_path / "b.tar", coded)
    read = load(file, attributes=["Bald"], labels={1: "yes", 0: "no", -1: "unknown"})
    np.testing.assert_array_equal(read.labels[:, 0], [np.nan, 0, 1])


@pytest.mark.parametrize(
    ("members", "options", "text"),
    [
        (sample("a", 0, cls=3), {"classes": ["x", "y"]}, "sample 'a': cls is '3'; expected 0 to 1"),
        (sample("a", 0, cls="x"), {"classes": ["x", "y"]}, "sample 'a': cls is 'x'"),
        (sample("a", 0, txt="x"), {"classes": ["x", "y"]}, "no sample has one"),
        (sample("a", 0, txt="x"), {}, r"no cls, .*of \['txt'\]"),
        (sample("a", 0, json="["), {}, "sample 'a': json cannot be read"),
        (sample("a", 0, json="[1]"), {}, "sample 'a': json cannot be read: expected an object"),
        (sample("a", 0, cls=b"\xff"), {}, "sample 'a': cls cannot be read"),
        ({**sample("a", 0, cls=1), "b.cls": b"0"}, {}, "sample 'b' has no image, but cls"),
        ({**sample("a", 0, cls=1), "a.jpg": b""}, {}, "sample 'a' has the images png and jpg; state the ending"),
        ({**sample("a", 0, cls=1), "a.PNG": b""}, {}, "sample 'a' has two members 'png'"),
        (sample("a", 0, cls=1), {"identity": "who"}, "no column 'who'"),
        (sample("a", 0, cls=1), {}, "the single class '1'"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, members, options, text):
    with pytest.raises(InputError, match=text) as told:
        load(write_tar(tmp_path / "a.tar", members), **options)
    assert "\n" not in str(told.value)


def test_a_truncated_shard_and_an_empty_folder(folder):
    content = (folder / "val-000002.tar").read_bytes()
    (folder / "val-000002.tar").write_bytes(content[: len(content.rstrip(b"\0")) - 100])
    with pytest.raises(InputError, match=r"val-000002\.tar: truncated"):
        load(folder)
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.tar files"):
        load(folder / "empty", format="webdataset")
