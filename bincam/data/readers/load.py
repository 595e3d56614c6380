"""Data sets and regions by the names that the command line uses."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.regions.regions import Regions
from bincam.errors import InputError, nearest


def load(source: str | os.PathLike[str], **options: Any) -> AttributeTable:
    r"""Read ``"orl"``, a folder in CelebA's layout, or a CSV or Parquet table.

    Args:
        source: ``orl``, a folder, or a file; for a folder that is called orl write ``./orl``.
        options: Arguments of ``orl``, ``celeba`` or ``table``.

    Raises:
        InputError: There is no such data set, the reader refuses it, or an option does not apply to its format.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mine.csv").write_text("image,Smiling\na.png,1\nb.png,0\n")
        ...     faces = data.load(Path(folder, "mine.csv"))
        >>> faces.names, faces.ids
        (('Smiling',), ('a.png', 'b.png'))
    """
    from bincam.data.readers.celeba import celeba
    from bincam.data.readers.orl import orl
    from bincam.data.readers.table import table

    path = Path(source)
    reader: Any = orl if str(source) == "orl" else celeba if path.is_dir() else table
    if reader is table and not path.is_file():
        raise InputError(
            f"{path}: no such folder or file; expected a folder in CelebA's layout, a CSV or Parquet file, or 'orl'"
        )
    accepted = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in accepted:
            raise InputError(f"{source}: {name} does not apply to this kind of data set{nearest(name, accepted)}")
    result: AttributeTable = reader(**options) if reader is orl else reader(path, **options)
    return result


def load_regions(kind: str, source: str | os.PathLike[str]) -> Regions:
    """Read regions by name, from the masks stored with a data set, or from a file.

    Args:
        kind: ``published``, ``face`` or ``orl``; ``parts`` or ``influence`` for the masks stored with the data set;
            otherwise a YAML file or a folder of masks.
        source: The data set, whose folder contains ``masks/parts`` and ``masks/influence``.

    Raises:
        InputError: There are no such regions.

    Example:
        >>> from bincam import data
        >>> "Smiling" in data.load_regions("face", "data/celeba")
        True
    """
    named = {"published": Regions.published, "face": Regions.face, "orl": Regions.orl}
    if kind in named:
        return named[kind]()
    if kind in {"parts", "influence"}:
        return Regions.stored(Path(source) / "masks" / kind)
    if not Path(kind).exists():
        raise InputError(f"regions {kind}: none of {', '.join(named)}, parts or influence, and no such file or folder")
    return Regions.stored(kind) if Path(kind).is_dir() else Regions.read(kind)
