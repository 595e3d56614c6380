"""Data sets and regions by the names that the command line uses."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import plain
from bincam.data.readers.data_file import stated
from bincam.data.regions.regions import Regions
from bincam.errors import BincamWarning, InputError, nearest

_ATTRIBUTES = "attributes"


def load(source: str | os.PathLike[str], **options: Any) -> AttributeTable:
    r"""Read ``"orl"``, a folder in CelebA's layout, or a CSV or Parquet table.

    A ``data.yaml`` beside the table, or in the folder, may state options of the data set once for every command
    (``bincam data describe --save`` writes it); those given here replace them one by one, with a warning.

    Args:
        source: ``orl``, a folder, or a file; for a folder that is called orl write ``./orl``.
        options: Arguments of ``orl``, ``celeba`` or ``table``; and for each of them ``attributes``, those to read.

    Raises:
        InputError: There is no such data set, the reader refuses it, or an option does not apply to its format.

    Warns:
        BincamWarning: An option replaces one that ``data.yaml`` states.

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
    return read(source, with_stated(source, options))


def read(source: str | os.PathLike[str], options: Mapping[str, Any]) -> AttributeTable:
    """Read a data set with these options alone, whatever ``data.yaml`` states; otherwise as ``load``."""
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
        if name not in (*accepted, _ATTRIBUTES):
            raise InputError(f"{source}: {name} does not apply to this kind of data set{nearest(name, accepted)}")
    if reader is table:
        result: AttributeTable = table(path, **options)
        return result
    own = {name: value for name, value in options.items() if name != _ATTRIBUTES}
    result = orl(**own) if reader is orl else celeba(path, **own)
    if (names := options.get(_ATTRIBUTES)) is None:
        return result
    chosen = result.select(names)
    return replace(chosen, reading={**result.reading, _ATTRIBUTES: list(names)})


def with_stated(source: str | os.PathLike[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Add the options that ``data.yaml`` states; those given win.

    Raises:
        InputError: The file is not what ``data_file`` describes.

    Warns:
        BincamWarning: A given option differs from the stated one.
    """
    found = stated(source)
    if found is None:
        return dict(options)
    file, arguments = found
    for name, value in options.items():
        if name in arguments and plain(value) != arguments[name]:
            warnings.warn(
                f"{file} states {name} {_short(arguments[name])}; the given {_short(plain(value))} replaces it",
                BincamWarning,
                stacklevel=3,
            )
    return {**arguments, **options}


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def load_regions(kind: str, source: str | os.PathLike[str]) -> Regions:
    """Read regions by name, from the masks stored with a data set, or from a file.

    Args:
        kind: ``published``, ``face`` or ``orl``; ``parts`` or ``influence`` for the masks stored with the data set;
            otherwise a YAML file or a folder of masks.
        source: The data set, whose folder contains ``masks/parts`` and ``masks/influence``; of a table it is the
            folder that the table is in.

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
        base = Path(source).parent if Path(source).is_file() else Path(source)
        return Regions.stored(base / "masks" / kind)
    if not Path(kind).exists():
        raise InputError(f"regions {kind}: none of {', '.join(named)}, parts or influence, and no such file or folder")
    return Regions.stored(kind) if Path(kind).is_dir() else Regions.read(kind)
