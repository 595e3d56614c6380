"""A format of data sets: how it is known, and what the options of its reader are."""

from __future__ import annotations

import importlib
import inspect
import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.data.readers.arguments import type_in_words
from bincam.errors import InputError, nearest

Sign = Callable[[Path], bool]
_PEEKED = 1 << 16
"""Bytes that a sign reads of a file."""
ATTRIBUTES = "attributes"
"""An option of every format: the attributes to read; ``load`` selects them where the reader has no such argument."""
RANGE = "range"
"""Likewise: the values of the images that are black and white."""


@dataclass(frozen=True)
class Format:
    """One format, whose reader is loaded when it is used.

    Attributes:
        name: As ``format=`` and ``--format`` state it.
        text: What such data sets are, in a few words.
        expects: The files by which one is known, in a few words.
        reader: ``module:function`` below ``bincam.data.readers``. The function takes the path of the data set, and
            options that are keyword-only.
        sign: Tells from the names of a few files whether a path is unmistakably of this format; None of a format that
            has to be named, because others look like it.
        yields: True if a format of which the files are known, too, is the right one.
    """

    name: str
    text: str
    expects: str
    reader: str
    sign: Sign | None = None
    yields: bool = False

    def recognise(self, path: Path) -> bool:
        """True if a path is unmistakably a data set of this format; only names of files, or a header, are read."""
        try:
            return self.sign is not None and self.sign(path)
        except OSError:
            return False

    @property
    def function(self) -> Callable[..., Any]:
        """The reader."""
        module, _, name = self.reader.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(f"bincam.data.readers.{module}"), name)
        return found

    @property
    def defaults(self) -> dict[str, Any]:
        """The options of the reader with their defaults, ``inspect.Parameter.empty`` of one that must be stated."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    @property
    def types(self) -> dict[str, Any]:
        """The types of the options of the reader."""
        return {name: kind for name, kind in typing.get_type_hints(self.function).items() if name in self.defaults}

    def check(self, options: Mapping[str, Any], source: object) -> None:
        """Refuse options that the reader does not have, and those that it needs and are not there.

        Raises:
            InputError: Names the option.
        """
        defaults = self.defaults
        for name in options:
            if name not in (*defaults, ATTRIBUTES, RANGE):
                raise InputError(
                    f"{source}: {name} does not apply to this kind of data set ({self.name})"
                    f"{nearest(name, (*defaults, ATTRIBUTES, RANGE))}"
                )
        for name, default in defaults.items():
            if default is inspect.Parameter.empty and name not in options:
                raise InputError(
                    f"{source}: format {self.name} needs {name}, {self.words(name)}; state it ({name}=, or "
                    f"{'--images ...' if name == 'images' else f'--data-option {name}=...'})"
                )

    def words(self, name: str) -> str:
        """What values an option takes, in words.

        >>> Format("table", "", "", "table:table").words("one_of_invalid")
        "one of 'refuse', 'unknown'"
        """
        return type_in_words(self.types[name])

    def parse(self, name: str, text: str) -> Any:
        """Read the value of an option as it is typed: a name, a number, yes or no, or names separated by commas.

        Raises:
            InputError: The reader has no such option, or it takes no such value.

        >>> Format("table", "", "", "table:table").parse("groups", "camera,site")
        ['camera', 'site']
        """
        from pydantic import TypeAdapter, ValidationError

        self.check({name: text, **dict.fromkeys(self.defaults)}, f"--data-option {name}={text}")
        adapter = TypeAdapter(self.types[name])
        for value in (text, text.split(",")):
            try:
                adapter.validate_python(value)
            except ValidationError:
                continue
            plain: Any = adapter.dump_python(adapter.validate_python(value), mode="json")
            return plain
        raise InputError(f"--data-option {name}={text}: expected {self.words(name)}")


def holds(*patterns: str) -> Sign:
    """Make a sign: a folder in which each of these is, the last part of which may be a pattern such as ``*.tar``.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "list.txt").touch()
    ...     holds("list.txt")(Path(folder)), holds("list.txt", "*.csv")(Path(folder))
    (True, False)
    """

    def sign(path: Path) -> bool:
        return path.is_dir() and all(_is_in(path, pattern) for pattern in patterns)

    return sign


def _is_in(folder: Path, pattern: str) -> bool:
    if "*" not in pattern:
        return os.path.lexists(folder / pattern)
    parent, _, last = pattern.rpartition("/")
    return next((folder / parent).glob(last), None) is not None


def either(*signs: Sign) -> Sign:
    """Make a sign of several, one of which is enough.

    >>> either(holds("a"), lambda path: True)(Path())
    True
    """
    return lambda path: any(sign(path) for sign in signs)


def named(*endings: str) -> Sign:
    """Make a sign: a file whose name ends so.

    >>> named(".csv")(Path("missing.csv"))
    False
    """
    return lambda path: path.is_file() and path.name.endswith(endings)


def says(ending: str, start: str, *words: str) -> Sign:
    """Make a sign: a file whose name ends so, which begins with a text, and has words near its beginning or its end.

    >>> says(".json", "[", '"annotations"')(Path("missing.json"))
    False
    """

    def sign(path: Path) -> bool:
        if not path.is_file() or not path.name.endswith(ending):
            return False
        with path.open("rb") as stream:
            head = stream.read(_PEEKED)
            stream.seek(-min(_PEEKED, path.stat().st_size), os.SEEK_END)
            both = head + stream.read(_PEEKED)
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        return text.startswith(start.encode()) and all(word.encode() in both for word in words)

    return sign
