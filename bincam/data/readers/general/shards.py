"""Files that hold many images, and the splits that their names state."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from bincam.data.readers.table_cells import split_name
from bincam.errors import InputError


def shards(base: Path, ending: str) -> list[str]:
    """List the files of an ending in a folder and below it, by their paths relative to it.

    >>> shards(Path("missing"), ".tar")
    []
    """
    found = []
    for folder, inner, names in os.walk(base):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        below = Path(folder).relative_to(base)
        found += [(below / name).as_posix() for name in sorted(names) if name.endswith(ending) and name[0] != "."]
    return found


def splits_of(files: Sequence[str], source: object, by_names: bool | None) -> list[str]:
    """Read the split of each file from its path, such as ``train-00000-of-00004.parquet`` or ``val/0.tar``.

    Args:
        files: Paths relative to the data set.
        source: The data set, for messages.
        by_names: Whether names state splits; None if every one does, or none.

    Returns:
        A split of each; empty where none is stated.

    Raises:
        InputError: Some names state a split and others do not, or one states several.

    >>> splits_of(["train-0.tar", "more/val_0.tar"], "set", None), splits_of(["a.tar"], "set", None)
    (['train', 'validation'], [''])
    """
    if by_names is False:
        return [""] * len(files)
    named = [_split_in(file, source) for file in files]
    without = [file for file, split in zip(files, named, strict=True) if not split]
    if without and (by_names or len(without) < len(files)):
        raise InputError(
            f"{source}: {without[0]} is not named like a split (train, val, test), {len(files) - len(without)} of "
            f"{len(files)} files are; rename it, or state that names are no splits (splits=False, --data-option "
            "splits=no)"
        )
    return named


def _split_in(file: str, source: object) -> str:
    found = {split for word in re.split(r"[^A-Za-z]+", file) if (split := split_name(word))}
    if len(found) > 1:
        raise InputError(f"{source}: the name of {file} states several splits ({', '.join(sorted(found))}); rename it")
    return found.pop() if found else ""
