"""The fields of a table of images: what is not consistent is refused, and arrays become read-only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from operator import lt
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.display import counted
from bincam.errors import InputError
from bincam.one_of import true_and_unknown


def first_illegal(labels: NDArray[np.float32]) -> tuple[int, int] | None:
    """Row and column of the first label that is none of 0, 1 and NaN; blocks of rows are looked at one by one."""
    step = max(1, (1 << 20) // labels.shape[1])
    for start in range(0, len(labels), step):
        block = labels[start : start + step]
        illegal = (block != 0) & (block != 1) & ~np.isnan(block)
        if illegal.any():
            row, column = (int(i[0]) for i in np.nonzero(illegal))
            return start + row, column
    return None


def check_one_true(labels: NDArray[np.float32], name: str, ids: Sequence[str], source: str) -> None:
    """Refuse a row of a set ``(N, K)`` without exactly one true label, unless all its labels are unknown.

    Raises:
        InputError: Names the first such image.
    """
    true, missing = true_and_unknown(labels)
    unknown = missing == labels.shape[1]
    partly = (missing > 0) & ~unknown
    wrong = np.flatnonzero(~unknown & (partly | (true != 1)))
    if len(wrong):
        row = wrong[0]
        got = f"{true[row]} true labels" + (" and unknown ones" if partly[row] else "")
        raise InputError(
            f"{source or 'table'}: set {name!r} of {ids[row]!r} has {got} ({counted(len(wrong), 'image')}); of a set "
            "exactly one label is 1 and the others are 0, or all are unknown (NaN)"
        )


def frozen(value: ArrayLike, dtype: type[np.float32]) -> NDArray[np.float32]:
    """Return a read-only view of an array, or of its copy in another precision."""
    array = np.asarray(value, dtype=dtype).view()
    array.setflags(write=False)
    return array


def text_column(name: str, value: ArrayLike, n: int) -> NDArray[np.str_]:
    """Return a column of text ``(n,)``, read-only.

    Raises:
        InputError: It has another shape.
    """
    array = np.asarray(value, dtype=np.str_).view()
    if array.shape != (n,):
        raise InputError(f"{name} of {counted(n, 'image')} have shape {(n,)}, got {array.shape}")
    array.setflags(write=False)
    return array


_OTHERWISE = ("./", "//", "\0/", ".\0")
"""Where one of these is in names between NULs, a file may have several names: ``./a``, ``b/../a``, an absolute path."""


def check_one_file_each(ids: Sequence[str], root: str | os.PathLike[str], source: str) -> None:
    """Refuse a table in which two rows name one file, such as ``0.png`` and ``./0.png``.

    Raises:
        InputError: Names both.
    """
    joined = "\0".join(("", *ids, ""))
    if not any(mark in joined for mark in _OTHERWISE):
        return
    seen: dict[str, str] = {}
    for name in ids:
        other = seen.setdefault(os.path.normpath(Path(root) / name), name)
        if other != name:
            raise InputError(f"{source or 'table'}: {other!r} and {name!r} are one image; keep one of the two rows")


def check_unique(what: str, values: Sequence[str], source: str) -> None:
    """Refuse values that are not unique.

    Raises:
        InputError: Names the first that occurs twice.

    >>> check_unique("image", ["a", "b", "a"], "mine.csv")
    Traceback (most recent call last):
        ...
    bincam.errors.InputError: mine.csv: image 'a' occurs twice
    """
    if all(map(lt, values, islice(values, 1, None))):
        return  # in ascending order, which takes a tenth of the time of a set
    if len(set(values)) < len(values):
        seen: set[str] = set()
        for value in values:
            if value in seen:
                raise InputError(f"{source or 'table'}: {what} {value!r} occurs twice")
            seen.add(value)
