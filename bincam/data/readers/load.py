"""What a user calls a data set or its regions on the command line."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.regions.regions import Regions
from bincam.errors import InputError, nearest


def load(source: str | os.PathLike[str], **options: Any) -> AttributeTable:
    """Read ``"orl"``, a folder in CelebA's layout, or a CSV or Parquet table.

    Args:
        source: The word ``orl`` (a folder of that name is ``./orl``), a folder, or a file.
        options: Passed on to ``orl``, ``celeba`` or ``table``.

    Raises:
        InputError: There is no such thing, or its reader refuses it.
    """
    from bincam.data.readers.celeba import celeba
    from bincam.data.readers.orl import orl
    from bincam.data.readers.table import table

    path = Path(source)
    reader: Any = orl if str(source) == "orl" else celeba if path.is_dir() else table
    if reader is table and not path.is_file():
        raise InputError(
            f"{path}: no such folder or file; a data set is a folder in CelebA's layout, a CSV or Parquet, or 'orl'"
        )
    known = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise InputError(f"{source}: {name} cannot be said of this kind of data set{nearest(name, known)}")
    read: AttributeTable = reader(**options) if reader is orl else reader(path, **options)
    return read


def load_regions(kind: str, source: str | os.PathLike[str]) -> Regions:
    """Regions by name, from a data set's own masks, or from a file.

    Args:
        kind: ``published``, ``face`` or ``orl``; ``parts`` or ``influence``, the masks stored with the data set; else a
            YAML file or a folder of masks.
        source: The data set.

    Raises:
        InputError: There is no such thing.
    """
    named = {"published": Regions.published, "face": Regions.face, "orl": Regions.orl}
    if kind in named:
        return named[kind]()
    if kind in {"parts", "influence"}:
        return Regions.stored(Path(source) / "masks" / kind)
    if not Path(kind).exists():
        raise InputError(f"regions {kind}: none of {', '.join(named)}, parts or influence, nor a file or folder")
    return Regions.stored(kind) if Path(kind).is_dir() else Regions.read(kind)
