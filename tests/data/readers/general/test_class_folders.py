from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
from PIL import Image

from bincam.data import load, loader
from bincam.errors import BincamWarning, InputError

IN_SPLITS = (
    "train/cat/1.jpg",
    "train/cat/old/deep/1.jpg",  # the same stem, in another folder
    "train/dog/1.PNG",
    "train/10-19/a.jpeg",
    "train/3-9/a.jpeg",
    "val/dog/1.jpg",
    "test/cat/1.jpg",
    "test/3-9/b.webp",
)


def make(root, *names):
    for name in names:
        file = root / name
        (file if name.endswith("/") else file.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            file.touch()
    return root


def test_splits_and_classes_are_folders(tmp_path):
    read = load(make(tmp_path, *IN_SPLITS))
    assert read.one_of == {"class": ("class=3-9", "class=10-19", "class=cat", "class=dog")}
    assert read.counts() == {"train": 5, "validation": 1, "test": 2}
    assert set(read.ids) == set(IN_SPLITS)
    classes = dict(zip(read.ids, read.labels.argmax(1).tolist(), strict=True))
    assert classes["train/cat/old/deep/1.jpg"] == classes["test/cat/1.jpg"] == 2
    assert classes["test/3-9/b.webp"] == 0
    assert (read.labels.sum(1) == 1).all()
    splits = dict(zip(read.ids, read.splits.tolist(), strict=True))
    assert all(name.startswith({"validation": "val"}.get(split, split)) for name, split in splits.items())
    assert read.reading == {"format": "class_folders"}
    assert load(tmp_path, **read.reading).digest() == read.digest()


def test_folders_of_classes_have_to_be_stated(tmp_path):
    Image.new("RGB", (8, 8), 9).save(make(tmp_path, "cats/", "dogs/b.jpg") / "cats" / "a.png")
    with pytest.raises(InputError, match="its folders contain images: if they are classes, --format class_folders"):
        load(tmp_path)
    read = load(tmp_path, format="class_folders", set_name="kind", classes=["dogs", "cats", "birds"])
    assert read.one_of == {"kind": ("kind=dogs", "kind=cats", "kind=birds")}
    np.testing.assert_array_equal(read.labels, [[0, 1, 0], [1, 0, 0]])
    assert read.counts() == {"": 2}
    assert next(iter(loader(read.take([0]), size=8))).images.shape == (1, 3, 8, 8)


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path):
    make(tmp_path, *IN_SPLITS, "train/cat/Thumbs.db", "train/notes.txt", "README", "train/.DS_Store", ".cache/x/1.jpg")
    with pytest.warns(BincamWarning, match=r"3 files left aside.*first: .*Thumbs\.db"):
        assert len(load(tmp_path)) == len(IN_SPLITS)
    make(tmp_path / "clean", *IN_SPLITS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path / "clean")


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        (("test/bird/1.jpg",), {}, "split 'test' has the class 'bird', which training lacks"),
        (("test/bird/",), {}, "split 'test' has the class 'bird', which training lacks"),
        (("train/bird/",), {}, "split 'train': class 'bird' has no image"),
        (("train/Cat/1.jpg",), {}, "differ in the case of letters alone; rename"),
        (("test/CAT/9.jpg",), {}, "differ in the case"),
        (("train/1.jpg",), {}, "1.jpg: an image in no folder of a class"),
        (("more/1.jpg",), {"splits": True}, "more: is not named like a split"),
        ((), {"classes": ["cat", "dog", "3-9"]}, "folder '10-19' is none of the classes stated"),
        ((), {"classes": ["cat", "cat", "dog", "3-9", "10-19"]}, "expected at least two, each once"),
        ((), {"splits": 3}, "splits=3"),
        ((), {"classes": "cat"}, "classes='cat'"),
        ((), {"labels": "0/1"}, r"labels does not apply to this kind of data set \(class_folders\)"),
    ],
)
def test_what_the_folders_do_not_say_is_refused_in_a_line(tmp_path, names, options, text):
    make(tmp_path, *IN_SPLITS, *names)
    with pytest.raises(InputError, match=text) as told:
        load(tmp_path, format="class_folders", **options)
    assert str(told.value).count("\n") == 0


def test_classes_that_are_stated_may_have_no_images(tmp_path):
    make(tmp_path, *IN_SPLITS, "test/bird/1.jpg", "train/fish/")
    read = load(tmp_path, classes=["3-9", "10-19", "cat", "dog", "bird", "fish"])
    assert read.labels.sum(0).tolist() == [2, 1, 3, 2, 1, 0]


@pytest.mark.parametrize("names", [(), ("cat/1.jpg",), ("cat/a.txt", "dog/b.txt")])
def test_too_few_images_or_classes(tmp_path, names):
    make(tmp_path, *names)
    with pytest.raises(InputError, match=r"no images in class/image|the single class 'cat'"):
        load(tmp_path, format="class_folders")


def test_a_link_to_a_folder_above_ends(tmp_path):
    make(tmp_path, *IN_SPLITS)
    (tmp_path / "train" / "cat" / "loop").symlink_to(tmp_path / "train" / "cat")
    with pytest.raises(InputError, match="a link to a folder above it"):
        load(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("train/images/1.jpg", "train/labels/1.txt", "val/images/2.jpg"),  # boxes in text files
        ("train/cat/1.jpg", "val/1.jpg"),  # validation in one folder with a list
        ("cat/1.jpg", "dog/1.jpg"),
        ("val/cat/1.jpg", "test/cat/1.jpg"),
        ("train/cat/1.jpg", "models/dog/1.jpg"),
        ("train/cat/1.txt", "test/cat/1.txt"),
    ],
)
def test_other_layouts_are_not_taken_for_one_of_classes(tmp_path, names):
    make(tmp_path, *names)
    with pytest.raises(InputError, match="of no format that is known by its files"):
        load(tmp_path)


def test_the_classes_and_images_are_those_of_image_folder(tmp_path):
    from torchvision.datasets import ImageFolder

    make(tmp_path, *(f"{c}/{d}{i}.jpg" for c in ("b", "a", "é", "z z") for d in ("", "x/", "y/q/") for i in range(3)))
    oracle = ImageFolder(tmp_path)
    read = load(tmp_path, format="class_folders")
    ours = {os.path.join(tmp_path, name): int(row.argmax()) for name, row in zip(read.ids, read.labels, strict=True)}  # noqa: PTH118
    assert ours == dict(oracle.samples)
    assert [name.removeprefix("class=") for name in read.names] == oracle.classes
