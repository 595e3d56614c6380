"""Folders in which an audit may begin or go on: new ones, empty ones, and those of an audit of the same settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bincam.audit.folder.files import MANIFEST
from bincam.audit.folder.manifest import KIND, OF_THE_SUMMARY, SCHEMA, Manifest
from bincam.errors import InputError
from bincam.files import read_json

_REFERENCES = "references"


def check_free(folder: Path, *, resume: bool) -> None:
    """Refuse a folder that contains something else, or an audit that is not to be resumed.

    Raises:
        InputError: The folder is refused.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder; choose another place for the audit")
    if (folder / MANIFEST).is_file():
        if not resume:
            raise InputError(f"{folder} already contains an audit; resume it with --resume, or choose another folder")
        return
    # A process killed before it wrote the manifest leaves references, and the hidden file that it was writing.
    own = (_REFERENCES, ".")
    others = sorted(file.name for file in folder.iterdir() if not file.name.startswith(own)) if folder.is_dir() else []
    if others:
        raise InputError(f"{folder} contains other files ({others[0]}, ...); choose a new or empty folder")


def check_same(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder whose manifest states other measurements; settings that the summary alone uses may differ.

    Raises:
        InputError: The audit in the folder has other settings; the message names the first that differs.
    """
    content = manifest.to_json()
    former = read_json(folder / MANIFEST, kind=KIND, schema=SCHEMA)
    free = ("kind", "schema", "settings_digest", *OF_THE_SUMMARY)
    for name in dict.fromkeys([*Manifest.model_fields, *content, *former]):  # causes before what follows
        if name not in free and _measured(name, former) != _measured(name, content):
            raise InputError(
                f"{folder}: the audit there was begun with different {name} ({_short(former.get(name))}, now "
                f"{_short(content.get(name))}); choose another folder, or the same settings"
            )


def _measured(name: str, manifest: Mapping[str, Any]) -> Any:
    """A field of a manifest; of the data what was read, which its digest tells, and not how the reading was stated."""
    value = manifest.get(name)
    return {key: of for key, of in value.items() if key != "options"} if name == "data" and value else value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
