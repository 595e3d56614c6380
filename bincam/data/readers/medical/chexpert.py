"""Reader of CheXpert: chest radiographs, and 14 findings that a program read in their reports."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import UNKNOWN, Coding, canonical
from bincam.data.readers.table_cells import Cells, batches, place
from bincam.errors import InputError, nearest

Uncertain = Literal["ignore", "zero", "one"]
Unmentioned = Literal["unknown", "absent"]
FINDINGS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other"),
    *("Fracture", "Support Devices"),
)
GROUPS = ("Sex", "Frontal/Lateral", "AP/PA")
_MEANINGS = {"ignore": "unknown", "zero": "no", "one": "yes", "unknown": "unknown", "absent": "no"}
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


@reader_of("chexpert")
def chexpert(
    file: str | os.PathLike[str],
    *,
    uncertain: Uncertain,
    unmentioned: Unmentioned = "unknown",
    images: str | os.PathLike[str] | None = None,
) -> AttributeTable:
    """Read ``train.csv`` or ``valid.csv`` of CheXpert: a finding is 1 (yes), 0 (no), **-1 (uncertain)** or empty.

    Args:
        file: The file.
        uncertain: What -1 means, which every figure depends on: ``ignore`` (unknown), ``zero`` (no) or ``one`` (yes);
            Irvin et al. 2019 (arXiv 1901.07031) compare them as U-Ignore, U-Zeros and U-Ones.
        unmentioned: What an empty cell means: the report does not mention the finding, which may be read as
            ``unknown``, or, as in that paper, as ``absent``.
        images: Folder to which the paths are relative; that around the file's own by default, because paths begin with
            the name of the folder, ``CheXpert-v1.0``.

    Returns:
        The table, with patients as identities, and sex and views as groups.

    Raises:
        InputError: The file is missing or malformed, with file and line, or ``uncertain`` is none of the three.
    """
    source = Path(file)
    coding = Coding.of({1: "yes", 0: "no", -1: _MEANINGS[uncertain], "": _MEANINGS[unmentioned]})
    ids: list[str] = []
    flags: list[NDArray[np.int8]] = []
    groups: dict[str, list[NDArray[np.str_]]] = {name: [] for name in GROUPS}
    cells_of = Counter[str]()
    for batch in batches(source):
        if not ids:
            for name in ("Path", *FINDINGS, *GROUPS):
                if name not in batch.schema.names:
                    raise InputError(f"{source}: no column {name!r}{nearest(name, batch.schema.names)}")
        cells = Cells(source, batch, len(ids))
        part = np.empty((batch.num_rows, len(FINDINGS)), np.int8)
        for column, name in enumerate(FINDINGS):
            words, at = cells.words(name)
            values = [coding.meanings.get(canonical(w), -1) for w in words]
            part[:, column] = np.array(values, np.int8)[at]
            if (wrong := np.flatnonzero(part[:, column] < 0)).size:
                where, word = place(source, len(ids) + int(wrong[0])), words[at[wrong[0]]]
                raise InputError(f"{where}: {name!r} is {word!r}; findings are {coding}")
            for word, count in zip(words, np.bincount(at, minlength=len(words)).tolist(), strict=True):
                cells_of[canonical(word)] += count
        flags.append(part)
        ids += cells.texts("Path").tolist()
        for name in GROUPS:
            groups[name].append(cells.texts(name))
    if not ids:
        raise InputError(f"{source}: no rows")
    known = np.concatenate(flags)
    labels = known.astype(np.float32)
    labels[known == UNKNOWN] = np.nan
    parts = [path.split("/") for path in ids]
    people = [next((part for part in path if part.startswith("patient")), "") for path in parts]
    splits = [next((_SPLITS[part] for part in path if part in _SPLITS), "") for path in parts]
    root = source.resolve().parent
    around = root.parent if ids[0].startswith(f"{root.name}/") else root
    return AttributeTable(
        FINDINGS,
        labels,
        tuple(ids),
        around if images is None else Path(images),
        np.array(splits, np.str_),
        identities=np.array(people, np.str_),
        groups={name: _known(np.concatenate(values)) for name, values in groups.items()},
        source=str(source),
        meaning=(
            f"findings: {coding}",
            f"-1 is uncertain, {cells_of['-1']:,} cells, read as {_MEANINGS[uncertain]} (uncertain={uncertain})",
            f"empty is not mentioned, {cells_of['']:,} cells, read as {_MEANINGS[unmentioned]}",
        ),
    )


def _known(values: NDArray[np.str_]) -> NDArray[np.str_]:
    """Values of a group, empty where the file says that it is unknown."""
    return np.where(values == "Unknown", "", values)
