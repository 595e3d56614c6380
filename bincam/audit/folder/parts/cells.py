"""Prediction grids in an audit's folder: the files of cell scores and pooled logits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import part_file
from bincam.audit.folder.schema import PREFIX
from bincam.audit.folder.stored import read_tensor, read_tensors, write_tensors
from bincam.errors import InputError

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

POOLED_FILE = "references/pooled.safetensors"
"""Pooled logits and labels of the reference split: ``pooled`` ``(N, A, P)`` and ``labels`` ``(N, A)``."""


def cells_file(folder: Path, number: int) -> Path:
    """Return the path of a shard's cell scores and pooled logits."""
    return part_file(folder, "cells", number, ".safetensors")


def write_cells(folder: Path, number: int, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a shard's cell scores, foregrounds and pooled logits."""
    write_tensors(cells_file(folder, number), tensors)


def write_pooled(folder: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write the pooled logits and the labels of the reference split."""
    write_tensors(folder / POOLED_FILE, tensors)


def read_cells(audit: Audit, name: str) -> NDArray[Any]:
    """Read a tensor of the cells of all images that could be read, in the order of the records.

    Args:
        audit: An audit with a prediction grid.
        name: ``scores``: s, float16 ``(N, A, h, w)``, of the rows that have a grid, in order. ``foreground``: booleans
            as uint8 ``(N, A, h, w)``. ``pooled``: float32 ``(N, A, P)`` in the order of ``Manifest.cells.poolings``.
            ``winners.SET``: int16 ``(N, h, w)``: the output of a set that each cell names; -1 for none.

    Raises:
        InputError: A file is missing, broken, or without this tensor.
    """
    return np.concatenate([_part(audit, number, name) for number in range(audit.shards)])


def read_image_cells(audit: Audit, name: str, position: int) -> NDArray[Any]:
    """Read a tensor of the cells of one image, see ``read_cells``.

    Args:
        audit: An audit with a prediction grid.
        name: Of the tensor.
        position: Of the image in the records.

    Raises:
        InputError: A file is missing or broken, or the records end before.
    """
    for number in range(audit.shards):
        part = _part(audit, number, name)
        if position < len(part):
            one: NDArray[Any] = part[position]
            return one
        position -= len(part)
    raise InputError(f"{audit.folder / PREFIX}: the cells end before the records; make the audit again")


def read_pooled(folder: Path) -> dict[str, NDArray[Any]] | None:
    """Read the pooled logits and the labels of the reference split; None where there are none."""
    file = folder / POOLED_FILE
    return read_tensors(file) if file.is_file() else None


def _part(audit: Audit, number: int, name: str) -> NDArray[Any]:
    part, kept = read_tensor(cells_file(audit.folder, number), name), audit.kept(number)
    return part if kept is None else part[kept]
