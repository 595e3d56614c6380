"""Readers of formats for images of any kind."""

from __future__ import annotations

from pathlib import Path

from bincam.data.readers.format import Format, named


def _class_folders(path: Path) -> bool:
    from bincam.data.readers.general.class_folders import recognise

    return recognise(path)


def _hugging_face(path: Path) -> bool:
    if not path.is_dir() and path.suffix not in (".parquet", ".arrow"):
        return False
    from bincam.data.readers.general.hugging_face_files import recognise

    return recognise(path)


def _webdataset(path: Path) -> bool:
    if not path.is_dir() and path.suffix != ".tar":
        return False
    from bincam.data.readers.general.webdataset import recognise

    return recognise(path)


FORMATS: tuple[Format, ...] = (
    Format(
        "class_folders",
        "a folder of images per class, as of torchvision's ImageFolder, with or without splits",
        "train/CLASS/IMAGE beside val or test; CLASS/IMAGE has to be stated",
        "general.class_folders:class_folders",
        _class_folders,
        yields=True,
    ),
    Format(
        "hugging_face",
        "datasets of Hugging Face, saved to disk, or Parquet files with a column of images",
        "dataset_dict.json, state.json, or .parquet files with images",
        "general.hugging_face:hugging_face",
        _hugging_face,
    ),
    Format(
        "webdataset",
        "WebDataset shards, one or a folder of them",
        ".tar files with KEY.jpg and KEY.cls or KEY.json",
        "general.webdataset:webdataset",
        _webdataset,
    ),
    Format(
        "table",
        "a CSV or Parquet table with a row per image",
        "a .csv or .parquet file with a column of paths",
        "table:table",
        named(".csv", ".parquet"),
        yields=True,
    ),
)
