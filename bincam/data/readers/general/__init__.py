"""Readers of formats for images of any kind."""

from __future__ import annotations

from pathlib import Path

from bincam.data.readers.format import Format, named


def _class_folders(path: Path) -> bool:
    from bincam.data.readers.general.class_folders import recognise

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
        "table",
        "a CSV or Parquet table with a row per image",
        "a .csv or .parquet file with a column of paths",
        "table:table",
        named(".csv", ".parquet"),
        yields=True,
    ),
)
