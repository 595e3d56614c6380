"""Parsers of option values that several commands share, and options declared in groups.

A command takes a group (see ``bincam.cli.reading.option_groups``) as one parameter; :func:`expand_groups` gives Typer
the options of the group instead.
"""

from __future__ import annotations

import csv
import functools
import inspect
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from bincam.errors import InputError


def parse_names(
    option: str, typed: str | Sequence[str], *, known: Collection[str] = (), may_be_empty: bool = False
) -> list[str]:
    """Parse a comma-separated list of names.

    Blanks around a name are dropped. A name that contains a comma is quoted as in a CSV file, and a quotation mark
    within quotes is doubled.

    Args:
        option: Name of the option, for error messages.
        typed: The list as typed; several lists, from an option that may be repeated, are joined.
        known: Names that may also be typed without quotes where they are the whole list.
        may_be_empty: Whether a blank text stands for no names.

    Raises:
        InputError: A name is empty, a name is given twice, or a quotation mark is not closed.

    Example:
        >>> parse_names("--attributes", '"Hair, black", Male')
        ['Hair, black', 'Male']
    """
    names: list[str] = []
    for text in [typed] if isinstance(typed, str) else typed:
        if text.strip() in known:
            names.append(text.strip())
            continue
        if may_be_empty and not text.strip():
            continue
        if text.count('"') % 2:
            raise InputError(f"{option} {text!r}: a quotation mark is not closed")
        try:
            (row,) = csv.reader([text], skipinitialspace=True)
        except (csv.Error, ValueError):
            raise InputError(f"{option} {text!r}: expected names on one line, separated by commas") from None
        parts = [name.strip() for name in row]
        if not parts or not all(parts):
            raise InputError(f"{option} {text!r}: a name is empty; expected NAME,NAME,...")
        names += parts
    refuse_repeats(option, names)
    return names


def parse_attributes(typed: Sequence[str] | None, known: Collection[str]) -> list[str] | None:
    """Parse a repeatable ``--attributes``; None, as for ``all``, selects every attribute.

    Raises:
        InputError: As :func:`parse_names`; whether the names exist is for the caller to check.
    """
    if not typed or list(typed) == ["all"]:
        return None
    return parse_names("--attributes", typed, known=known)


def parse_assignments(option: str, typed: Sequence[str] | None, form: str = "NAME=VALUE") -> dict[str, str]:
    """Split each ``NAME=VALUE`` at its last ``=``, so that a name may contain one.

    Args:
        option: Name of the option, for error messages.
        typed: As typed, one assignment each.
        form: What error messages say was expected.

    Raises:
        InputError: There is no ``=``, the name or the value is empty, or a name is given twice.

    Example:
        >>> parse_assignments("--threshold-logit", ["Bald=-1", "c=d = 0.5"])
        {'Bald': '-1', 'c=d': '0.5'}
    """
    pairs: list[tuple[str, str]] = []
    for text in typed or ():
        name, _, value = (part.strip() for part in text.rpartition("="))
        if not name or not value:
            raise InputError(f"{option} {text}: expected {form}")
        pairs.append((name, value))
    refuse_repeats(option, (name for name, _ in pairs))
    return dict(pairs)


def parse_sets(option: str, typed: Sequence[str] | None) -> dict[str, list[str]]:
    """Split each ``SET=NAME,...`` at its first ``=``, because the name of an output may contain one.

    Args:
        option: Name of the option, for error messages.
        typed: As typed, one set each.

    Raises:
        InputError: There is no ``=``, a name is empty or occurs twice, or a set is stated twice.

    Example:
        >>> parse_sets("--one-of", ["race=White,Black", "age=age=0-2,age=3-9"])
        {'race': ['White', 'Black'], 'age': ['age=0-2', 'age=3-9']}
    """
    sets: dict[str, list[str]] = {}
    for text in typed or ():
        name, equals, members = (part.strip() for part in text.partition("="))
        if not name or not equals or not members:
            raise InputError(f"{option} {text}: expected SET=NAME,NAME,...")
        refuse_repeats(option, [*sets, name])
        sets[name] = parse_names(f"{option} {name}", members)
    return sets


def parse_numbers(option: str, typed: Sequence[str] | None, form: str = "NAME=NUMBER") -> dict[str, float]:
    """Parse each ``NAME=NUMBER``, see :func:`parse_assignments`.

    Raises:
        InputError: As there, or a value is not a finite number.
    """
    return {
        name: parse_number(f"{option} {name}={text}", text)
        for name, text in parse_assignments(option, typed, form).items()
    }


def parse_number(where: str, text: str) -> float:
    """Parse a finite number.

    Args:
        where: Start of the error message.
        text: As typed.

    Raises:
        InputError: It is not a number, or not a finite one.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number")
    return value


def parse_whole(text: str) -> int | None:
    """Parse a whole number from its decimal digits; None if the text is anything else, or of over 18.

    ``str.isdigit`` is true of digits that ``int`` refuses, and ``int`` of more digits than it converts.

    >>> parse_whole("-12"), parse_whole("²"), parse_whole("--5"), parse_whole("9" * 5000)
    (-12, None, None, None)
    """
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text.strip()) else None


def refuse_repeats(option: str, names: Iterable[str]) -> None:
    """Refuse a name that occurs twice.

    Raises:
        InputError: One does.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{option}: {name!r} is given twice")
        seen.add(name)


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter whose type is a group (a dataclass of options) with the options of that group.

    Args:
        command: A Typer command; a parameter annotated with a dataclass is a group.

    Returns:
        The command with the signature that Typer reads. It builds the groups from their options and calls ``command``.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name not in groups:
            parameters.append(parameter)
            continue
        types = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=types[field.name]
            )
            for field in fields(groups[name])
        ]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def help_text(command: Callable[..., object] | None) -> str:
    """The docstring of a command with its paragraphs unwrapped, because Typer keeps their line breaks."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
