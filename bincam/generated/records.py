"""Records of the finished shards of a generated data set, which exist until the set is complete."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.files import atomic

FOLDER = ".unfinished"
Form = tuple[str, tuple[int | str, ...]]
"""Kind of an array's type, and its shape; lengths of the same letter are equal."""


def record_path(root: Path, number: int) -> Path:
    """Return the path of the record of shard ``number``; its presence means that all images of the shard are written.

    >>> record_path(Path("set"), 3).as_posix()
    'set/.unfinished/000003.npz'
    """
    return root / FOLDER / f"{number:06d}.npz"


def write_record(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays of a shard, atomically."""
    named: dict[str, Any] = dict(arrays)  # to mypy one might be called allow_pickle
    with atomic(file) as part:
        np.savez(part, **named)


def read_record(file: Path, forms: Mapping[str, Form], count: int) -> dict[str, NDArray[Any]]:
    """Read the arrays of a shard.

    Args:
        file: As ``write_record`` wrote it.
        forms: The arrays that it has.
        count: Number of the shard's images, the length ``N``.

    Raises:
        InputError: The file is damaged, or has other arrays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = record_path(Path(folder), 0)
    ...     write_record(file, {"labels": np.zeros((2, 40), bool)})
    ...     read_record(file, {"labels": ("b", ("N", 40))}, 2)["labels"].shape
    (2, 40)
    """
    try:
        zipfile.ZipFile(file).close()  # what is none, np.load takes for a pickle or a lone array
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in forms}
        lengths: dict[str, int] = {"N": count}
        for name, (kind, shape) in forms.items():
            _check_form(name, arrays[name], kind, shape, lengths)
    except (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error.args[0] if isinstance(error, KeyError) else error).splitlines()[:1]
        raise InputError(
            f"{file}: damaged ({''.join(reason)}); delete it and run the same command again, which draws its images "
            "anew"
        ) from None
    return arrays


def _check_form(
    name: str, array: NDArray[Any], kind: str, shape: tuple[int | str, ...], lengths: dict[str, int]
) -> None:
    """Refuse an array of another form; a length that has no value yet takes that of this array."""
    fits = array.dtype.kind == kind and array.ndim == len(shape)
    for wanted, length in zip(shape, array.shape, strict=False):
        fits = fits and length == (lengths.setdefault(wanted, length) if isinstance(wanted, str) else wanted)
    if not fits:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    if kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite")
