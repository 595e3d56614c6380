"""Masks of objects by the file or folder that has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bincam.data.readers.objects.masks.coco import coco_masks
from bincam.data.readers.objects.masks.cvat import cvat_masks
from bincam.data.readers.objects.masks.label_studio import label_studio_masks
from bincam.data.readers.objects.masks.open_images import ENDING, open_images_masks
from bincam.data.readers.objects.masks.wsol import wsol_masks
from bincam.data.readers.objects.wsol import lists_masks
from bincam.data.readers.sources.lines import read_foreign_json
from bincam.data.regions.regions import Regions
from bincam.data.regions.stored_masks import AttributeMasks

FILES = f"COCO's or Label Studio's .json, CVAT's .xml, or Open Images' *{ENDING}"
"""The files that have masks, in words."""
_OPTIONS = ("classes", "several", "image_key")


def masks_in(path: Path, source: str, reading: Mapping[str, Any]) -> Regions | None:
    """Read the masks of a file of annotations, or of a folder of masks that the lists of a data set name.

    Args:
        path: The file or folder.
        source: The data set whose images they are of.
        reading: Arguments that the data set was read with, those that name classes and images among them.

    Returns:
        Regions stored per image; None where the path is neither.

    Raises:
        InputError: It is, and malformed.
    """
    options = {name: reading[name] for name in _OPTIONS if name in reading}
    shape = _shape(path, source, reading, options)
    return None if shape is None else Regions({"": shape}, {}, str(path), per_image=True)


def _shape(path: Path, source: str, reading: Mapping[str, Any], options: Mapping[str, Any]) -> AttributeMasks | None:
    def only(*names: str) -> dict[str, Any]:
        return {name: options[name] for name in names if name in options}

    if path.is_dir():
        if reading.get("format") == "wsol" and lists_masks(source):
            return wsol_masks(source, path, **only("classes"))
        return None
    if not path.is_file():
        return None
    if path.suffix == ".json":
        of_tasks = isinstance(read_foreign_json(path), list)
        return label_studio_masks(path, **only("several", "image_key")) if of_tasks else coco_masks(path)
    if path.suffix == ".xml":
        return cvat_masks(path)
    return open_images_masks(path, **only("classes")) if path.name.endswith(ENDING) else None
