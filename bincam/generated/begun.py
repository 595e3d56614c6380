"""The card of a generated data set that was begun: what it states, and whether a run may continue it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bincam._version import __version__
from bincam.errors import InputError
from bincam.files import read_json

NAME = "card.json"
_BEGUN: Mapping[str, Any] = {"settings": dict[str, Any], "complete": bool}


def head(kind: str, schema: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the card of a set that is not complete: version and settings."""
    return {"kind": kind, "schema": schema, "complete": False, "bincam": __version__, "settings": settings}


def read_same(
    root: Path, settings: dict[str, Any], *, kind: str, schema: int, complete: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Read the card of a folder that was begun by this version with the same settings.

    Args:
        root: The folder.
        settings: What this run was asked for, as the card would state it.
        kind: Of the card.
        schema: Of the card.
        complete: Entries that the card of a complete set has, with their types; ``a.b`` is the entry b of a.

    Returns:
        The card; None if the folder is missing or empty.

    Raises:
        InputError: The folder contains something else, or the card lacks an entry.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    if not root.is_dir():
        raise InputError(f"{root} is a file, not a folder")
    if not (root / NAME).exists():
        raise InputError(f"{root} is not empty and contains no {NAME}; choose a new folder")
    card = read_json(root / NAME, kind=kind, schema=schema)
    if card.get("bincam") != __version__:
        raise InputError(f"{root} was made by bincam {card.get('bincam')}, this is {__version__}; choose a new folder")
    _check_entries(root / NAME, card, _BEGUN)
    differences = [
        f"{key} {card['settings'].get(key)!r}, not {value!r}"
        for key, value in settings.items()
        if card["settings"].get(key) != value
    ]
    if differences:
        raise InputError(f"{root} was made with other settings ({'; '.join(differences)}); choose a new folder")
    if card["complete"]:
        _check_entries(root / NAME, card, complete or {})
    return card


def _check_entries(file: Path, card: dict[str, Any], forms: Mapping[str, Any]) -> None:
    """Refuse a card without one of these entries, which would be no work of this program."""
    from pydantic import TypeAdapter, ValidationError

    for name, form in forms.items():
        value: Any = card
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        try:
            TypeAdapter(form).validate_python(value, strict=True)
        except ValidationError:
            what = "is missing" if value is None else "has another form"
            raise InputError(
                f"{file}: damaged: {name} {what}; choose a new folder, or delete this one to make the set anew"
            ) from None
