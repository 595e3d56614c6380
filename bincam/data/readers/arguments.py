"""The arguments that a data set was read with, kept on its table so that it can be read again in the same way."""

from __future__ import annotations

import functools
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec

from bincam.data.attribute_table import AttributeTable
from bincam.errors import InputError

_P = ParamSpec("_P")


def keeping_arguments(
    reader: Callable[_P, AttributeTable], *, format_name: str | None = None
) -> Callable[_P, AttributeTable]:
    """Make a reader keep, as ``reading`` of its table, the keyword arguments that differ from its defaults.

    Args:
        reader: A reader whose keyword-only arguments state how a source is read.
        format_name: The name of its format, which is kept too; None of a reader whose sources are read without it.

    >>> import numpy as np
    >>> @keeping_arguments
    ... def two(file, *, split=None, groups=()):
    ...     return AttributeTable(("Bald",), np.ones((2, 1)), ("a", "b"), ".")
    >>> dict(two("mine.csv", groups=("camera",)).reading)
    {'groups': ['camera']}
    """
    parameters = inspect.signature(reader).parameters
    defaults = {p.name: plain(p.default) for p in parameters.values() if p.kind is p.KEYWORD_ONLY}

    @functools.wraps(reader)
    def read(*args: _P.args, **kwargs: _P.kwargs) -> AttributeTable:
        types = typing.get_type_hints(reader) if kwargs and format_name is not None else {}
        for name, value in kwargs.items():
            _check_kind(name, value, defaults.get(name), types.get(name))
        table = reader(*args, **kwargs)
        given = {name: plain(value) for name, value in kwargs.items() if name in defaults}
        kept = {name: value for name, value in given.items() if value != defaults[name]}
        return table.read_with(kept if format_name is None else {"format": format_name, **kept})

    return read


def reader_of(name: str) -> Callable[[Callable[_P, AttributeTable]], Callable[_P, AttributeTable]]:
    """Make a reader keep its format and its keyword arguments as ``reading`` of its table: ``@reader_of("fairface")``.

    >>> import numpy as np
    >>> @reader_of("two")
    ... def two(file, *, split=None):
    ...     return AttributeTable(("Bald",), np.ones((2, 1)), ("a", "b"), ".")
    >>> dict(two("mine", split="fold").reading)
    {'format': 'two', 'split': 'fold'}
    """
    return functools.partial(keeping_arguments, format_name=name)


_NAME, _NAMES = "a name", "a list of names"
_KINDS: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(("path", "split", "identity", "variant", "one_of_invalid"), (str, _NAME)),
    **dict.fromkeys(("attributes", "groups"), (list[str], _NAMES)),
    **dict.fromkeys(("landmarks", "boxes"), (str | list[str], f"{_NAMES}, or 'celeba'")),
    "one_of": (dict[str, list[str]], f"a mapping of sets, each to {_NAMES}"),
    "one_of_columns": (
        list[str] | dict[str, list[str] | None],
        "a list of columns, or a list of classes by the name of each column",
    ),
    "one_of_names": (dict[str, str], "a mapping of columns, each to the name of its set"),
    "one_of_rest": (dict[str, str], "a mapping of sets, each to the name of its further output"),
}
"""Type of every argument of a reader that states names, and the type in words; what the names mean a reader checks."""


_IN_WORDS = {bool: "yes or no", str: "a text"}


def type_in_words(kind: Any) -> str:
    """Write the type of an argument as its values in words: the choices, or the types without their modules.

    >>> type_in_words(Mapping[str, str] | None), type_in_words(typing.Literal["zero", "one"])
    ('Mapping[str, str]', "one of 'zero', 'one'")
    >>> type_in_words(str | os.PathLike[str] | None), type_in_words(bool)
    ('a path', 'yes or no')
    """
    if kind in _IN_WORDS:
        return _IN_WORDS[kind]
    parts = [part for part in (kind, *typing.get_args(kind)) if typing.get_origin(part) is typing.Literal]
    if choices := [value for part in parts for value in typing.get_args(part)]:
        return f"one of {', '.join(map(repr, choices))}"
    written = re.sub(r"(collections\.abc|typing|pathlib|os|builtins)\.", "", inspect.formatannotation(kind))
    return written.replace(" | None", "").replace("str | PathLike[str]", "a path")


def _check_kind(name: str, value: Any, default: Any, declared: Any) -> None:
    """Refuse an argument of another type than it is declared with.

    Raises:
        InputError: Names it.
    """
    from pydantic import TypeAdapter, ValidationError

    if (name not in _KINDS and declared is None) or (value is None and default is None):
        return
    kind, words = _KINDS.get(name) or (declared, type_in_words(declared))
    try:
        TypeAdapter(kind).validate_python(plain(value), strict=True)
    except ValidationError:
        raise InputError(f"{name}={value!r}: expected {words}") from None


def plain(value: Any) -> Any:
    """Turn an argument of a reader into JSON values: paths into text, sequences into lists, mappings into dicts.

    >>> from pathlib import Path
    >>> plain({"images": Path("photos"), "groups": ("camera",), "one_of_columns": {"race": None}})
    {'images': 'photos', 'groups': ['camera'], 'one_of_columns': {'race': None}}
    """
    if hasattr(value, "tolist"):  # of numpy and pandas
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(inner) for inner in value]
    return value
