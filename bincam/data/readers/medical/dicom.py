"""Reader of DICOM files whose labels are in a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.containers.dicom import Window, header
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Labels
from bincam.data.readers.table import table
from bincam.data.stated_sets import ClassColumns, Invalid
from bincam.errors import InputError

_GROUPS = {"PatientSex": "sex", "ViewPosition": "view", "Modality": "modality"}


@reader_of("dicom")
def dicom(
    file: str | os.PathLike[str],
    *,
    window: str,
    images: str | os.PathLike[str] | None = None,
    labels: Labels = "0/1",
    path: str = "image",
    attributes: Sequence[str] | None = None,
    split: str | None = None,
    groups: Sequence[str] = (),
    one_of_columns: ClassColumns | None = None,
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    """Read a table of labels whose images are DICOM files, with pydicom (``bincam[dicom]``).

    A value of a file is a measurement; how bright it is shown, the window says, and every figure depends on it.
    ``MONOCHROME1``, in which low values are bright, is inverted, so that what is dense is bright in all images.

    Args:
        file: ``.csv`` or ``.parquet``, see ``table``.
        window: Values that become black and white, after rescale slope and intercept: ``CENTRE,WIDTH``, ``LOW..HIGH``,
            or ``file`` for the window that each file states.
        images: Folder to which the paths are relative; that of the table by default.
        labels: As for ``table``.
        path: As for ``table``.
        attributes: As for ``table``.
        split: As for ``table``.
        groups: As for ``table``.
        one_of_columns: As for ``table``.
        one_of_invalid: As for ``table``.

    Returns:
        The table. A person is the ``PatientID`` of the file, if it has one; sex, view and modality are groups. An image
        is called ``scan.dcm#40,400``: its file and its window.

    Raises:
        BincamError: pydicom is not installed.
        InputError: As for ``table``; the window is none, or a file is missing or no DICOM file.
    """
    Window.of(window)
    read = table(
        file,
        images=images,
        labels=labels,
        path=path,
        attributes=attributes,
        split=split,
        groups=groups,
        one_of_columns=one_of_columns,
        one_of_invalid=one_of_invalid,
    )
    people: list[str] = []
    more: dict[str, list[str]] = {name: [] for name in _GROUPS.values()}
    inverted = 0
    for row, name in enumerate(read.ids):
        if Path(name).suffix != ".dcm":
            raise InputError(f"{file}: image {name!r}: expected a file whose name ends in .dcm")
        content = header(read.path(row))
        people.append(str(content.get("PatientID") or ""))
        inverted += content.get("PhotometricInterpretation") == "MONOCHROME1"
        for tag, group in _GROUPS.items():
            more[group].append(str(content.get(tag) or ""))
    own = {name: np.array(values, np.str_) for name, values in more.items() if any(values) and name not in read.groups}
    return replace(
        read,
        ids=tuple(f"{name}#{window}" for name in read.ids),
        identities=np.array(people, np.str_) if any(people) else None,
        groups={**read.groups, **own},
        meaning=(
            *read.meaning,
            f"pixels: window {window}, {inverted:,} of {len(read):,} images inverted (MONOCHROME1)",
        ),
    )
