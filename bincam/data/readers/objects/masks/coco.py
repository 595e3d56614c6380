"""The masks in a file of COCO's annotations, as regions of an image."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bincam.data.readers.objects.coco import annotations_of
from bincam.data.regions.encoded_masks import EncodedMasks, Segment
from bincam.errors import InputError


def coco_masks(file: str | os.PathLike[str]) -> EncodedMasks:
    """Read the masks in a file of COCO's annotations, such as ``instances_val2017.json``.

    Raises:
        InputError: The file is none, or has no masks.
    """
    return EncodedMasks.gathered(file, _found(file), "masks (segmentation) in its annotations")


def _found(file: str | os.PathLike[str]) -> Iterator[tuple[str, str, tuple[int, int], Segment]]:
    for entry in annotations_of(file):
        if not entry.annotation.get("segmentation"):
            continue
        if entry.size is None:
            raise InputError(f"{entry.where}: a mask in an image without width and height")
        yield entry.image, entry.category, (entry.size[1], entry.size[0]), entry.annotation["segmentation"]
