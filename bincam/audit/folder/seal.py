"""The seal of an audit: digests by which it is known, on reading, that its files are those of one audit, and unchanged.

``digests.json`` states the SHA-256 of every measured file and of the settings that were measured with; it is written
once, after the last shard. ``summary.json`` states the digests of itself, of ``digests.json`` and of the manifest. A
summary that is made again, at other rates or by other groups, seals the audit anew.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bincam.audit.folder.digest import content_digest, file_digest, measured_settings
from bincam.audit.folder.files import (
    DIGESTS,
    DIGESTS_KIND,
    IMAGES,
    LEAKAGE,
    MANIFEST,
    PART_SCHEMA,
    SAMPLE,
    SPECIFICITY,
    SUMMARY,
    UNMEASURED,
    maps_file,
    records_file,
)
from bincam.audit.folder.manifest import Manifest
from bincam.errors import BincamWarning, InputError
from bincam.files import read_json, write_json

KEY = "seal"
_ROOMS = ("boxes", "cells", "maps", "records", "references", "scores", "set_scores")
_SINGLE = (IMAGES, UNMEASURED, LEAKAGE, SPECIFICITY, SAMPLE)
_THREADS = 4  # hashing releases the interpreter's lock; more only wait for the disk


def write_digests(folder: Path, manifest: Manifest, expected: Mapping[str, str]) -> None:
    """Write ``digests.json``, with the digest of every measured file.

    Args:
        folder: The audit's folder.
        manifest: Its manifest.
        expected: Digests that files had when they were written.

    Raises:
        InputError: A file is no longer the one that was written.
    """
    names = [file.relative_to(folder).as_posix() for file in _measured(folder)]
    digests = dict(zip(names, _digests(folder, names), strict=True))
    for name, digest in expected.items():
        if digests.get(name) != digest:
            raise InputError(
                f"{folder / name}: no longer the file that was measured; remove {_records_of(folder, name)}, and "
                "'bincam audit ... --resume' measures these images again"
            )
    write_json(
        folder / DIGESTS,
        {
            "kind": DIGESTS_KIND,
            "schema": PART_SCHEMA,
            "settings": content_digest(measured_settings(manifest)),
            "files": digests,
        },
    )


def sealed(folder: Path, manifest: Manifest, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a summary the digests of itself, of ``digests.json`` and of the manifest."""
    content = {name: value for name, value in summary.items() if name != KEY}
    seal = {
        "manifest": content_digest(manifest.to_json()),
        "digests": content_digest(read_json(folder / DIGESTS, kind=DIGESTS_KIND, schema=PART_SCHEMA)),
        "summary": content_digest(content),
    }
    return {**content, KEY: seal}


def known_digests(folder: Path) -> dict[str, str]:
    """Read the digests of measured files by their path in the folder; none in older and in unfinished audits."""
    return _stated(folder)["files"] if (folder / DIGESTS).is_file() else {}


def check_seal(folder: Path, manifest: Manifest, summary: Mapping[str, Any]) -> None:
    """Refuse an audit of which a file is missing, of another audit, or not as it was written.

    Args:
        folder: The audit's folder.
        manifest: Its manifest.
        summary: The content of its ``summary.json``.

    Raises:
        InputError: It is refused; the message names the file.

    Warns:
        BincamWarning: The audit is of an earlier version and has no digests.
    """
    again = f"'bincam summarise {folder}' writes it anew"
    if KEY not in summary and not (folder / DIGESTS).is_file():
        _check_older(folder, manifest, summary)
        return
    if not _is_whole(summary):
        raise InputError(f"{folder / SUMMARY}: changed since it was written; {again}")
    seal = summary[KEY]
    _check_measured(folder, manifest, seal)
    if seal["digests"] != content_digest(_stated(folder)):
        raise InputError(f"{folder / SUMMARY}: not the summary of the measurements in {folder}; {again}")
    if seal["manifest"] != content_digest(manifest.to_json()):
        raise InputError(
            f"{folder / MANIFEST}: not the manifest that {SUMMARY} was made with; put the file back, or "
            f"'bincam summarise {folder}' makes the summary by this one"
        )


def check_measured(folder: Path, manifest: Manifest, summary: Mapping[str, Any] | None = None) -> None:
    """Refuse measurements that ``digests.json`` does not state; without that file nothing is checked.

    Args:
        folder: The audit's folder.
        manifest: Its manifest.
        summary: The content of its ``summary.json``, if there is one; if it was changed, or is another audit's, it says
            nothing of ``digests.json``.

    Raises:
        InputError: They are refused; the message names the file.
    """
    _check_measured(folder, manifest, summary[KEY] if summary and _is_whole(summary) else None)


def _check_measured(folder: Path, manifest: Manifest, sealed_by: Mapping[str, str] | None) -> None:
    """Refuse measurements that ``digests.json`` does not state, or that the seal of a summary is not of."""
    back = "put the file back, or make the audit again"
    if sealed_by and sealed_by["manifest"] != content_digest(manifest.to_json()):
        sealed_by = None
    if not (folder / DIGESTS).is_file():
        if sealed_by:
            raise InputError(f"{folder / DIGESTS}: no such file; {back}")
        return
    stated = _stated(folder)
    if sealed_by and sealed_by["digests"] != content_digest(stated):
        raise InputError(f"{folder / DIGESTS}: changed since it was written; {back}")
    if stated["settings"] != content_digest(measured_settings(manifest)):
        raise InputError(
            f"{folder / MANIFEST}: not the settings that were measured with; put the file back, or make the audit again"
        )
    files: dict[str, str] = stated["files"]
    for name in files:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file; {back}")
    for name in _needed(folder, manifest):
        if name not in files:
            raise InputError(f"{folder / DIGESTS}: does not state {name}, so it is not of this audit; {back}")
    for name in _SINGLE:  # figures would be read from it
        if name not in files and (folder / name).is_file():
            raise InputError(
                f"{folder / name}: not a file that the audit wrote ({DIGESTS} does not state it); remove it"
            )
    for (name, digest), now in zip(files.items(), _digests(folder, files), strict=True):
        if now != digest:
            raise InputError(
                f"{folder / name}: not the file that the audit wrote (its SHA-256 differs from {DIGESTS}); put the "
                "file back, or make the audit again"
            )


def _is_whole(summary: Mapping[str, Any]) -> bool:
    """True if a summary has a seal, and is as it was when it was sealed."""
    seal = summary.get(KEY)
    rest = {name: value for name, value in summary.items() if name != KEY}
    parts = ("manifest", "digests", "summary")
    return isinstance(seal, dict) and set(parts) <= seal.keys() and seal["summary"] == content_digest(rest)


def _needed(folder: Path, manifest: Manifest) -> Iterator[str]:
    """The files without which measurements are not whole."""
    yield IMAGES
    for number in range(manifest.shards):
        files = [records_file(folder, number), *(maps_file(folder, method, number) for method in manifest.methods)]
        yield from (file.relative_to(folder).as_posix() for file in files)


def _stated(folder: Path) -> dict[str, Any]:
    content = read_json(folder / DIGESTS, kind=DIGESTS_KIND, schema=PART_SCHEMA)
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise InputError(f"{folder / DIGESTS}: 'files' is missing or damaged; make the audit again")
    if "settings" not in content:
        raise InputError(f"{folder / DIGESTS}: 'settings' is missing; make the audit again")
    return content


def _check_older(folder: Path, manifest: Manifest, summary: Mapping[str, Any]) -> None:
    """Check an audit without digests by the names in its summary and the rows in its records, and say so."""
    for what, expected, there in (
        ("attribute", manifest.yes_or_no, summary.get("attributes") or {}),
        ("set", manifest.one_of, summary.get("sets") or {}),
    ):
        for name in expected if there else ():  # without any it says nothing, and is refused where it is asked
            if name not in there:
                raise InputError(
                    f"{folder / SUMMARY}: no {what} {name!r}, which {MANIFEST} states; 'bincam summarise {folder}' "
                    "writes it anew"
                )
    size = manifest.shard_images
    for number in range(manifest.shards):
        first, last = number * size, min((number + 1) * size, manifest.data.images) - 1
        found = _rows(records_file(folder, number))
        if found is not None and not first <= found[0] <= found[1] <= last:
            raise InputError(
                f"{records_file(folder, number)}: contains images {found[0]} to {found[1]}, expected {first} to "
                f"{last}; make the audit again"
            )
    warnings.warn(
        f"{folder}: of an earlier bincam, which kept no digests: if its files belong together was checked by their "
        f"names and rows alone; 'bincam summarise {folder}' adds digests",
        BincamWarning,
        stacklevel=4,
    )


def _rows(file: Path) -> tuple[int, int] | None:
    """The least and the greatest row of a file of records, by its footer; None if it has no rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
        column = footer.schema.names.index("row")
        found = [footer.row_group(group).column(column).statistics for group in range(footer.num_row_groups)]
    except (OSError, ValueError, pa.ArrowException):
        return None  # that it cannot be read is told where it is read
    known = [one for one in found if one is not None and one.has_min_max]
    return (min(one.min for one in known), max(one.max for one in known)) if known else None


def _measured(folder: Path) -> Iterator[Path]:
    """The files of an audit's measurements, in the order of their names; not those that a writer has left."""
    for room in _ROOMS:
        inside = (folder / room).rglob("*")
        yield from sorted(file for file in inside if file.is_file() and not file.name.startswith("."))
    yield from (folder / name for name in _SINGLE if (folder / name).is_file())


def _digests(folder: Path, names: Iterable[str]) -> list[str]:
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda name: file_digest(folder / name), names))


def _records_of(folder: Path, name: str) -> Path:
    """The records of the shard that a file belongs to, without which the shard is measured again."""
    return folder / "records" / f"{Path(name).stem}.parquet"
