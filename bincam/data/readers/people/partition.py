"""The divisions into splits that PETA and RAP state by numbers of rows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam.data.readers.sources.matlab import rows_from_one
from bincam.errors import InputError

Columns = Literal["selected", "all"]
_SPLITS = {2: ("train", "test"), 3: ("train", "validation", "test")}
_NAMED = {"train_index": "train", "val_index": "validation", "test_index": "test"}


def splits_of(partitions: Any, number: int, count: int, source: str) -> NDArray[np.str_]:
    """Read the splits of one of several partitions.

    Args:
        partitions: Structs with the rows, counted from 1, in ``train_index``, ``val_index`` and ``test_index``; or,
            under other names, of training, perhaps validation, and test in this order.
        number: Of the partition, from 1.
        count: Number of images.
        source: Of the partitions, for messages.

    Returns:
        ``(count,)``; empty for images that the partition leaves out.

    Raises:
        InputError: There is no such partition, or an image is in two splits.

    >>> splits_of([{"train": np.array([[2], [3]]), "test": np.array([[1]])}], 1, 4, "a.mat").tolist()
    ['test', 'train', 'train', '']
    """
    listed = partitions if isinstance(partitions, list) else [partitions]
    if not 1 <= number <= len(listed):
        raise InputError(f"{source}: partition {number}; there are 1 to {len(listed)}")
    rows = listed[number - 1]
    while isinstance(rows, list) and len(rows) == 1:
        rows = rows[0]
    if isinstance(rows, dict) and {"train_index", "test_index"} <= rows.keys():
        rows = {name: rows[name] for name in _NAMED if name in rows}
    if not isinstance(rows, dict) or len(rows) not in _SPLITS:
        raise InputError(f"{source}: partition {number} has another content than the rows of two or three splits")
    splits = np.full(count, "", "U10")
    for (name, value), split in zip(rows.items(), _SPLITS[len(rows)], strict=True):
        at = rows_from_one(value, count, f"{source}: partition {number}: {name}")
        if (splits[at] != "").any():
            raise InputError(f"{source}: partition {number}: an image is in {name} and in another split")
        splits[at] = split
    return splits
