"""The masks in a file of COCO's annotations, as regions of an image."""

from __future__ import annotations

import os
from pathlib import Path

from bincam.data.readers.objects.coco import annotations_of
from bincam.data.regions.encoded_masks import EncodedMasks, Segment
from bincam.errors import InputError


def coco_masks(file: str | os.PathLike[str]) -> EncodedMasks:
    """Read the masks in a file of COCO's annotations, such as ``instances_val2017.json``.

    Raises:
        InputError: The file is none, or has no masks.
    """
    gathered: dict[tuple[str, str], tuple[tuple[int, int], list[Segment]]] = {}
    for entry in annotations_of(file):
        if not entry.annotation.get("segmentation"):
            continue
        if entry.size is None:
            raise InputError(f"{entry.where}: a mask in an image without width and height")
        size = entry.size[1], entry.size[0]
        gathered.setdefault((entry.image, entry.category), (size, []))[1].append(entry.annotation["segmentation"])
    if not gathered:
        raise InputError(f"{file}: no masks (segmentation) in its annotations")
    return EncodedMasks(Path(file), {key: (size, tuple(masks)) for key, (size, masks) in gathered.items()})
