from __future__ import annotations

import json
import warnings

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from bincam.data import load, loader
from bincam.data.check import check
from bincam.data.images import decode
from bincam.errors import BincamWarning, InputError
from bincam.provenance import images_hash
from tests.data.readers.general.layouts import (
    CELL,
    FEATURES,
    png,
    rows,
    save_dict,
    save_to_disk,
    write_parquet,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*left aside")


@pytest.fixture(params=["saved", "dict", "parquet", "folder"])
def layout(request, tmp_path):
    """The same six rows, four of them for training where the layout has splits."""
    if request.param == "saved":
        return save_to_disk(tmp_path / "set", rows(), shards=2)
    if request.param == "dict":
        return save_dict(tmp_path / "set", rows(), train=slice(0, 4), test=slice(4, 6))
    if request.param == "parquet":
        return write_parquet(tmp_path / "set.parquet", rows())
    write_parquet(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", rows().slice(0, 4))
    return write_parquet(tmp_path / "set" / "data" / "test-00000-of-00001.parquet", rows().slice(4)).parents[1]


def test_what_columns_mean_is_read_from_the_metadata(layout):
    read = load(layout, identity="who")
    pixels = [decode(read.path(row)) for row in range(6)]
    order = [next(i for i in range(6) if np.array_equal(decode(png(i)), image)) for image in pixels]
    assert sorted(order) == list(range(6))
    assert read.one_of == {"label": ("label=cat", "label=dog", "label=10-19")}  # in the metadata's order
    label = read.select(["label"]).labels.argmax(1)
    assert label.tolist() == [i % 3 for i in order]
    smiling = [np.nan if i == 2 else float(i % 2 == 0) for i in order]
    np.testing.assert_array_equal(read.labels[:, read.index("smiling")], smiling)
    red, big = ([np.nan if i == 3 else float(i % 3 > k) for i in order] for k in (0, 1))
    np.testing.assert_array_equal(read.labels[:, [read.index("red"), read.index("big")]].T, [red, big])
    assert read.identities.tolist() == [f"person {i // 2}" for i in order]
    if layout.name == "set" and not (layout / "state.json").exists():
        assert read.splits.tolist() == ["train" if i < 4 else "test" for i in order]
    assert "label: 0 = cat, 1 = dog, 2 = 10-19, -1 and null = no class (metadata)" in read.meaning
    assert load(layout, **read.reading).digest() == read.digest()


def test_every_consumer_of_images_reads_them(layout):
    read = load(layout)
    images = {
        int(row): image
        for workers in (0, 2)
        for batch in loader(read, size=8, workers=workers, batch_size=4, shuffle=True, output="uint8")
        for row, image in zip(batch.rows, batch.images, strict=True)
    }
    assert len(images) == 6
    report = check(read, workers=2)
    assert (report.decoded, report.problems) == (6, ())
    first = images_hash(read)
    assert first != images_hash(read.take([1, 0, 2, 3, 4, 5]))


def test_columns_without_a_meaning_are_told_and_may_be_stated(tmp_path):
    score = pa.array([0, 1, 1, 0, 1, 0])
    file = write_parquet(tmp_path / "a.parquet", rows(score=score))
    with pytest.warns(BincamWarning, match="left aside, because nothing says what they mean: who, score"):
        load(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = load(file, groups=["who", "label"], attributes=["score", "smiling"])
    assert read.names == ("score", "smiling")
    assert read.groups["label"].tolist() == ["cat", "dog", "10-19"] * 2
    read = load(file, one_of_columns={"label": None, "who": None}, one_of_names={"label": "class"}, attributes=["red"])
    assert read.one_of["class"] == ("class=cat", "class=dog", "class=10-19")
    assert len(read.one_of["who"]) == 3


def test_missing_classes_are_refused_unless_they_may_be_unknown(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", rows(label=pa.array([0, -1, None, 1, 2, 0])))
    with pytest.raises(InputError, match=r"row 1: .*label.*one_of_invalid='unknown'"):
        load(file)
    with pytest.warns(BincamWarning, match="2 rows without a true label"):
        read = load(file, one_of_invalid="unknown")
    assert np.isnan(read.select(["label"]).labels).all(1).tolist() == [False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("table", "options", "text"),
    [
        (rows(features=None).select(["image", "label"]), {}, "metadata name no class.*'label'.*--one-of-column"),
        (rows(label=pa.array([0, 1, 2, 3, 0, 0])), {}, r"row 3: column 'label'.*3 is no class; .* 0 to 2"),
        (rows(tags=pa.array([[0], [7]] * 3)), {}, "row 1: column 'tags'.*7 is no class"),
        (rows(), {"image": "picture"}, "'picture' is none of images"),
        (rows(), {"identity": "whom"}, "no column 'whom'.*'who'"),
        (rows(), {"one_of_columns": ["labels"]}, "no column 'labels'.*'label'"),
        (rows().drop_columns(["image"]), {"format": "hugging_face"}, "no column of images.*format 'table'"),
        (rows(image=pa.array([None] * 6, CELL)), {}, "row 0: the image has neither bytes nor a path"),
        (rows(mask=rows()["image"]), {}, "several columns of images, image, mask; state one"),
        (rows(features={"label": 3}), {}, "metadata name no class|smiling"),
        (rows(features={"label": {"_type": "ClassLabel"}}), {}, "metadata of Hugging Face are damaged"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, table, options, text):
    file = write_parquet(tmp_path / "a.parquet", table)
    if text == "metadata name no class|smiling":
        assert load(file).names == ("smiling",)
        return
    with pytest.raises(InputError, match=text) as told:
        load(file, **options)
    assert "\n" not in str(told.value)


def test_images_without_bytes_are_files(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(4):
        (tmp_path / "photos" / f"{i}.png").write_bytes(png(i))
    cells = pa.array([{"bytes": None, "path": f"{i}.png"} for i in range(4)], CELL)
    mixed = pa.array([{"bytes": png(i) if i == 2 else None, "path": f"{i}.png"} for i in range(4)], CELL)
    for column in (cells, mixed):
        file = write_parquet(tmp_path / "set" / "a.parquet", rows(4, image=column))
        read = load(file, images=tmp_path / "photos")
        assert [read.path(row).read_bytes() == png(row) for row in (0, 1, 3)] == [True] * 3
        np.testing.assert_array_equal(decode(read.path(2)), decode(png(2)))
    assert load(file).ids == ("0.png", "1.png", "a.parquet#2", "3.png")
    saved = save_to_disk(tmp_path / "saved", rows(4, image=cells))
    assert load(saved).ids == tuple(f"{i}.png" for i in range(4))


def test_shards_have_the_same_columns_and_names_of_splits(tmp_path):
    write_parquet(tmp_path / "train-0.parquet", rows())
    write_parquet(tmp_path / "validation-0.parquet", rows().drop_columns(["who"]))
    with pytest.raises(InputError, match=r"validation-0\.parquet: other columns than .*train-0\.parquet"):
        load(tmp_path)
    write_parquet(tmp_path / "validation-0.parquet", rows())
    write_parquet(tmp_path / "extra.parquet", rows())
    with pytest.raises(InputError, match=r"extra\.parquet is not named like a split.*2 of 3 files are.*splits=no"):
        load(tmp_path)
    assert load(tmp_path, splits=False).counts() == {"": 18}


def test_a_split_of_another_name_is_told(tmp_path):
    folder = save_dict(tmp_path / "set", rows(), train=slice(0, 4), unsupervised=slice(4, 6))
    with pytest.warns(BincamWarning, match="split 'unsupervised' is none of train, validation and test"):
        assert load(folder).counts() == {"train": 4, "": 2}
    (folder / "train" / "state.json").write_text("{")
    with pytest.raises(InputError, match=r"state\.json: not JSON"):
        load(folder)


def test_old_forms_of_lists_are_read(tmp_path):
    names = {"names": ["red", "big"], "_type": "ClassLabel"}
    for form in ([names], {"feature": names, "length": -1, "_type": "Sequence"}):
        file = write_parquet(tmp_path / "a.parquet", rows(features={**FEATURES, "tags": form}))
        assert load(file).names[1:3] == ("red", "big")


def test_a_table_of_paths_remains_a_table(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    file = write_parquet(tmp_path / "t.parquet", pa.table({"image": ["a.png"], "smiling": [True]}))
    assert load(file).reading == {}
    assert json.dumps(load(file).ids) == '["a.png"]'
