"""The arguments that a data set was read with, kept on its table so that it can be read again in the same way."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ParamSpec

from bincam.data.attribute_table import AttributeTable

_P = ParamSpec("_P")


def keeping_arguments(reader: Callable[_P, AttributeTable]) -> Callable[_P, AttributeTable]:
    """Make a reader keep, as ``reading`` of its table, the keyword arguments that differ from its defaults.

    Args:
        reader: A reader whose keyword-only arguments state how a source is read.

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
        table = reader(*args, **kwargs)
        given = {name: plain(value) for name, value in kwargs.items() if name in defaults}
        return replace(table, reading={name: value for name, value in given.items() if value != defaults[name]})

    return read


def plain(value: Any) -> Any:
    """Turn an argument of a reader into JSON values: paths into text, sequences into lists, mappings into dicts.

    >>> from pathlib import Path
    >>> plain({"images": Path("photos"), "groups": ("camera",), "one_of_columns": {"race": None}})
    {'images': 'photos', 'groups': ['camera'], 'one_of_columns': {'race': None}}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(inner) for inner in value]
    return value
