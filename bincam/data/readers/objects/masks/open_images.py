"""The masks of Open Images, as regions of an image."""

from __future__ import annotations

import os
from pathlib import Path

from bincam.data.readers.objects.open_images import class_names, image_name
from bincam.data.readers.sources.lines import csv_rows
from bincam.data.regions.mask_files import MaskFiles
from bincam.errors import InputError
from bincam.files import names_in

ENDING = "-annotations-object-segmentation.csv"


def open_images_masks(file: str | os.PathLike[str], *, classes: str | os.PathLike[str] | None = None) -> MaskFiles:
    """Read a list of masks, such as ``validation-annotations-object-segmentation.csv``.

    Args:
        file: The list. The masks are PNG files in its folder, or in folders beside it, whatever these are called.
        classes: As for ``open_images``.

    Raises:
        InputError: The list is malformed, a class has no name, or none of its masks is there.
    """
    source = Path(file)
    rows = [row for _, row in csv_rows(source, ["MaskPath", "ImageID", "LabelName"])]
    if not rows:
        raise InputError(f"{source}: no masks in it")
    of_code = class_names({row["LabelName"] for row in rows}, classes)
    folder_of = _folders(source.parent)
    listed: dict[tuple[str, str], list[Path]] = {}
    found = 0
    for row in rows:
        folder = folder_of.get(row["MaskPath"])
        found += folder is not None
        path = (source.parent if folder is None else folder) / row["MaskPath"]
        listed.setdefault((image_name(row["ImageID"]), of_code[row["LabelName"]]), []).append(path)
    if not found:
        raise InputError(
            f"{source}: none of its {len(rows):,} masks, such as {rows[0]['MaskPath']}, is in its folder or in a "
            "folder beside it; unpack the archives of masks there"
        )
    return MaskFiles(source, {key: tuple(paths) for key, paths in listed.items()})


def _folders(base: Path) -> dict[str, Path]:
    """The folder of each PNG file in a folder and in those that it contains."""
    folders = [base / name for name in names_in(base) if (base / name).is_dir()]
    return {name: folder for folder in (*folders, base) for name in names_in(folder) if name.endswith(".png")}
