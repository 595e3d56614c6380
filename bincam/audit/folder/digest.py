"""Digests of an audit: of single files, of JSON content, and of its measurements, by which studies know their audit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bincam.audit.folder.files import IMAGES, records_file
from bincam.audit.folder.manifest import OF_THE_SUMMARY, Manifest
from bincam.audit.folder.parts.sets import scores_file, set_scores_file
from bincam.audit.folder.stored import present


def file_digest(file: Path) -> str:
    """Compute the SHA-256 of a file.

    Raises:
        InputError: The file is missing.
    """
    with present(file).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def content_digest(content: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of JSON content, which its layout in the file and the order of its keys do not change.

    >>> content_digest({"a": 1, "b": [2]}) == content_digest({"b": [2], "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def measured_settings(manifest: Manifest) -> dict[str, Any]:
    """Return what a manifest states of the measurements, without the settings that the summary alone uses."""
    return {name: value for name, value in manifest.to_json().items() if name not in _FREE}


def measurements_digest(folder: Path, manifest: Manifest, known: Mapping[str, str] | None = None) -> str:
    """Compute the SHA-256 of what an audit measured: its settings, images, records and raw scores.

    Settings of the summary alone, the summary and everything made of the records (``studies/`` too) are left out, so
    an audit that is summarised again keeps its digest.

    Args:
        folder: The audit's folder.
        manifest: Its manifest.
        known: Digests of files by their path in the folder, which are not read again.

    Raises:
        InputError: A file is missing.
    """
    known = known or {}
    state = hashlib.sha256(json.dumps(measured_settings(manifest), sort_keys=True).encode())
    for file in _measured_files(folder, manifest):
        state.update(bytes.fromhex(known.get(file.relative_to(folder).as_posix()) or file_digest(file)))
    return state.hexdigest()


_FREE = (*OF_THE_SUMMARY, "settings_digest")


def _measured_files(folder: Path, manifest: Manifest) -> Iterator[Path]:
    yield folder / IMAGES
    for number in range(manifest.shards):
        yield records_file(folder, number)
        if manifest.one_of:
            yield scores_file(folder, number)
        if manifest.second_head:
            yield set_scores_file(folder, number)
