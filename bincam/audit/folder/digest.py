"""The digest of an audit's measurements, by which studies know the audit they rest on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from bincam.audit.folder.files import IMAGES, records_file
from bincam.audit.folder.manifest import OF_THE_SUMMARY, Manifest
from bincam.audit.folder.sets import scores_file
from bincam.audit.folder.stored import present


def measurements_digest(folder: Path, manifest: Manifest) -> str:
    """Compute the SHA-256 of what an audit measured: its settings, images, records and raw scores.

    Settings of the summary alone, the summary and everything made of the records (``studies/`` too) are left out, so
    an audit that is summarised again keeps its digest.

    Raises:
        InputError: A file is missing.
    """
    stated = {name: value for name, value in manifest.to_json().items() if name not in _FREE}
    state = hashlib.sha256(json.dumps(stated, sort_keys=True).encode())
    for file in _measured_files(folder, manifest):
        with present(file).open("rb") as content:
            state.update(hashlib.file_digest(content, "sha256").digest())
    return state.hexdigest()


_FREE = (*OF_THE_SUMMARY, "settings_digest")


def _measured_files(folder: Path, manifest: Manifest) -> Iterator[Path]:
    yield folder / IMAGES
    for number in range(manifest.shards):
        yield records_file(folder, number)
        if manifest.one_of:
            yield scores_file(folder, number)
