"""The masks of *wsolevaluation*'s list of Open Images, as regions of an image."""

from __future__ import annotations

import os
from pathlib import Path

from bincam.data.readers.objects.classes import SET
from bincam.data.readers.objects.wsol import LISTED_MASKS, WsolLists, lists_of
from bincam.data.readers.sources.lines import lines_of
from bincam.data.regions.mask_files import MaskFiles
from bincam.data.stated_sets import output_name
from bincam.errors import InputError


def wsol_masks(
    root: str | os.PathLike[str], masks: str | os.PathLike[str], *, classes: str | os.PathLike[str] | None = None
) -> MaskFiles:
    """Read the lists of masks ``localization.txt`` of the splits: image, mask of an object, mask of ignored pixels.

    Pixels of the last, less those of the objects, count neither way, as in the public evaluation.

    Args:
        root: Folder of the lists, such as ``metadata/OpenImages``.
        masks: Folder to which the lists' masks are relative.
        classes: As for ``wsol``.

    Returns:
        Masks of each image's class, called by its output ``class=NAME`` and by its name.

    Raises:
        InputError: A list is malformed, or none of its masks is there.
    """
    found = lists_of(root, classes)
    folder = Path(masks)
    listed: dict[tuple[str, str], list[Path]] = {}
    left_out: dict[str, Path] = {}
    for split in found.folders:
        for place, image, mask, ignored in _rows(found, split):
            name = found.class_of(split, image, place)
            for attribute in (output_name(SET, name), name):
                listed.setdefault((image, attribute), []).append(folder / mask)
            if ignored and left_out.setdefault(image, folder / ignored) != folder / ignored:
                raise InputError(f"{place}: a second mask of ignored pixels of image {image!r}")
    if not listed:
        raise InputError(f"{found.source}: no localization.txt lists masks")
    if not any(files[0].exists() for files in listed.values()):
        first = next(iter(listed.values()))[0]
        raise InputError(f"{folder}: none of the masks that {found.source} lists is there, such as {first}")
    return MaskFiles(Path(root), {key: tuple(files) for key, files in listed.items()}, left_out)


def _rows(found: WsolLists, split: str) -> list[tuple[str, str, str, str]]:
    file = found.folders[split] / "localization.txt"
    if not file.is_file():
        return []
    rows = []
    for place, line in lines_of(file):
        if line.count(",") != LISTED_MASKS:
            continue  # boxes, which ``wsol`` reads
        image, mask, ignored = (cell.strip() for cell in line.split(","))
        if not mask:
            raise InputError(f"{place}: image {image!r} has no mask")
        rows.append((place, image, mask, ignored))
    return rows
