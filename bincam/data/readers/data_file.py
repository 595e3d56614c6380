"""``data.yaml`` beside a table or in a folder: how each data set there is read, stated once for every command.

It names the tables beside it, and the folder itself as ``.``, each with arguments of its reader::

    kind: bincam-data
    schema: 1
    tables:
      faces.csv: {images: photos, split: fold, identity: person, one_of_columns: [race]}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bincam.data.readers.formats import by_name, recognised
from bincam.errors import InputError, nearest
from bincam.files import atomic, read_yaml
from bincam.yaml_text import dump_yaml

FILE = "data.yaml"
KIND, SCHEMA = "bincam-data", 1
_FOLDER = "."
_NAME, _NAMES = (str, "a name (in quotes, if it is a number, yes or no)"), (list[str], "a list of names")
_FORMS: dict[str, tuple[Any, str]] = {
    "format": (str, "the name of a format that 'bincam data formats' lists"),
    "images": (str, "a folder, relative to this file"),
    "range": (str | list[float], "the values of black and white, such as 0-4095"),
    "labels": (
        Literal["0/1", "-1/1", "true/false"] | dict[str | int | float | bool | None, str | bool | None],
        "'0/1', '-1/1' or 'true/false', or yes, no or unknown by value",
    ),
    "path": _NAME,
    "attributes": _NAMES,
    "split": _NAME,
    "identity": _NAME,
    "groups": _NAMES,
    "landmarks": (Literal["celeba"] | list[str], "celeba, or a list of ten columns"),
    "boxes": (Literal["celeba"] | list[str], "celeba, or a list of four columns"),
    "variant": (Literal["aligned", "wild"], "aligned or wild"),
    "one_of": (dict[str, list[str]], "a list of columns by the name of each set"),
    "one_of_columns": (
        list[str] | dict[str, list[str] | None],
        "a list of columns, or by column the list of its classes, each in quotes if it is a number, yes or no",
    ),
    "one_of_names": (dict[str, str], "the name of the set by column"),
    "one_of_rest": (dict[str, str], "the name of the further output by set"),
    "one_of_invalid": (Literal["refuse", "unknown"], "refuse or unknown"),
}
"""The arguments that several readers have: their form, and the form in words; the others are of one format each."""


def stated(source: str | os.PathLike[str]) -> tuple[Path, dict[str, Any]] | None:
    """Look up how a data set is read.

    Args:
        source: As for ``bincam.data.load``.

    Returns:
        The file, and the arguments of the reader that it states, with the folder of images relative to the working
        directory; None if there is no such file, or it does not name this data set. A file without a ``kind`` and
        without ``tables`` belongs to another program and states nothing.

    Raises:
        InputError: The file is not YAML, of another kind or schema, or has an unknown key or a value of another form.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mine.csv").write_text("image,Smiling,fold")
        ...     _ = save_reading(Path(folder, "mine.csv"), {"split": "fold"})
        ...     stated(Path(folder, "mine.csv"))[1], stated(folder)
        ({'split': 'fold'}, None)
    """
    place = _place(source)
    if place is None or not place[0].is_file():
        return None
    file, name = place
    tables = _tables(file)
    if tables is None or name not in tables:
        return None
    arguments = _checked(file, name, tables[name])
    if "images" in arguments:
        arguments["images"] = str(file.parent / arguments["images"])
    return file, arguments


def save_reading(source: str | os.PathLike[str], arguments: Mapping[str, Any]) -> Path:
    """State in ``data.yaml`` how a data set is read; statements about other data sets there are kept.

    Args:
        source: A folder or a table.
        arguments: Arguments of its reader, as ``AttributeTable.reading`` has them.

    Returns:
        The file.

    Raises:
        InputError: There is no folder to write to, as for ``orl``, or the file there is no statement of bincam's.
    """
    place = _place(source)
    if place is None:
        raise InputError(f"{source}: no folder for {FILE}; state its options in every command")
    file, name = place
    tables: dict[str, Any] = {}
    if file.exists():
        former = _tables(file)
        if former is None:
            raise InputError(f"{file}: has no kind {KIND!r} and is another program's; move it or the table")
        tables = former
    own = dict(arguments)
    if "images" in own:
        own["images"] = _relative(own["images"], file.parent)
    tables[name] = _checked(file, name, own)
    with atomic(file) as part:
        part.write_text(dump_yaml({"kind": KIND, "schema": SCHEMA, "tables": tables}), encoding="utf-8")
    return file


def _place(source: str | os.PathLike[str]) -> tuple[Path, str] | None:
    """The file that may state a data set, and the data set's name there; None for a data set of a package."""
    path = Path(source)
    if str(source) == "orl":
        return None
    return (path / FILE, _FOLDER) if path.is_dir() else (path.parent / FILE, path.name)


def _relative(images: str, folder: Path) -> str:
    """The images' folder as seen from the file's, so that both can be moved together; elsewhere as it was stated."""
    relative = os.path.relpath(images, folder)
    return images if Path(images).is_absolute() and relative.startswith(os.pardir) else Path(relative).as_posix()


def _tables(file: Path) -> dict[str, Any] | None:
    """The entries of the file; None where it is another program's."""
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise InputError(f"{file}: expected the keys kind, schema and tables, got {type(content).__name__}")
    if not {"kind", "tables"} & content.keys():
        return None
    for key in content:
        if key not in ("kind", "schema", "tables"):
            raise InputError(f"{file}: unknown key {key!r}{nearest(key, ('kind', 'schema', 'tables'))}")
    if content.get("kind") != KIND:
        raise InputError(f"{file}: expected kind: {KIND}, got {content.get('kind')!r}")
    if content.get("schema") != SCHEMA or isinstance(content["schema"], bool):  # True == 1
        raise InputError(f"{file}: schema {content.get('schema')!r}, but this bincam reads schema {SCHEMA}")
    tables = {} if content.get("tables") is None else content["tables"]
    if not isinstance(tables, dict):
        raise InputError(f"{file}: tables: expected the names of tables, and '.' for the folder, with their options")
    return tables


def _checked(file: Path, name: str, arguments: Any) -> dict[str, Any]:
    """Check the names and the form of a data set's arguments.

    Raises:
        InputError: Names the file, the data set and the key.
    """
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(arguments, dict):
        raise InputError(f"{file}: {name}: expected options by name, got {arguments!r}")
    for key, value in arguments.items():
        form = _FORMS.get(key) or _form_of_format(file, name, arguments, key)
        try:
            TypeAdapter(form[0]).validate_json(json.dumps(value), strict=True)  # a list may be a tuple, a text a choice
        except (ValidationError, TypeError):
            shown = str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
            raise InputError(f"{file}: {name}: {key} is {shown}; expected {form[1]}") from None
    return dict(arguments)


def _form_of_format(file: Path, name: str, arguments: Mapping[str, Any], key: str) -> tuple[Any, str]:
    """The form of an argument that the readers of some formats have.

    Raises:
        InputError: The data set's format has none of that name.
    """
    stated_format = arguments.get("format")
    path = file.parent / name
    found = [by_name(stated_format)] if isinstance(stated_format, str) else recognised(path) if path.exists() else []
    for item in found:
        if key in item.defaults:
            return item.types[key], item.words(key)
    known = {*_FORMS, *(option for item in found for option in item.defaults)}
    raise InputError(f"{file}: {name}: unknown key {key!r}{nearest(key, known)}")
