"""Opening an audit's folder, with checks that it is complete; ``bincam.audit.folder.writer`` writes it."""

from __future__ import annotations

import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bincam.audit.folder.audit import Audit
from bincam.audit.folder.files import (
    FORMER_UNMEASURED,
    FORMER_UNMEASURED_KIND,
    IMAGES,
    LEAKAGE,
    LEAKAGE_KIND,
    MANIFEST,
    MEAN_IMAGE,
    MEANS,
    PART_SCHEMA,
    REGIONS,
    RELABEL,
    SAMPLE,
    SAMPLE_KIND,
    SUMMARY,
    UNMEASURED,
    UNMEASURED_KIND,
    VARIATION,
    maps_file,
    method_folder,
    records_file,
)
from bincam.audit.folder.manifest import Manifest, read_manifest, read_summary
from bincam.audit.folder.parts.sets import check_stated, scores_file, set_scores_file
from bincam.audit.folder.seal import check_measured, check_seal
from bincam.audit.folder.stored import present, read_columns, read_table
from bincam.errors import InputError
from bincam.storage import local_folder

# The names of files were in this module before it was divided, and may still be imported from here.
__all__ = [
    "FORMER_UNMEASURED",
    "FORMER_UNMEASURED_KIND",
    "IMAGES",
    "LEAKAGE",
    "LEAKAGE_KIND",
    "MANIFEST",
    "MEANS",
    "MEAN_IMAGE",
    "PART_SCHEMA",
    "REGIONS",
    "RELABEL",
    "SAMPLE",
    "SAMPLE_KIND",
    "SUMMARY",
    "UNMEASURED",
    "UNMEASURED_KIND",
    "VARIATION",
    "Audit",
    "maps_file",
    "method_folder",
    "open_audit",
    "open_measured",
    "records_file",
    "unwritten",
]


def open_audit(path: str | os.PathLike[str], *, unfinished: bool = False) -> Audit:
    """Open an audit's folder.

    Args:
        path: The folder, or its address on object storage, of which a copy is made (``bincam.storage``).
        unfinished: Accept an audit without a summary; some of its files may be missing.

    Raises:
        InputError: The folder contains no audit, one of another schema version, or an unfinished one; or a file is not
            the one that the audit wrote, as its digests state (``bincam.audit.folder.seal``).

    Warns:
        BincamWarning: The audit is of an earlier version, which wrote no digests.

    Example:
        A small model with random weights is audited on eight generated images, and the audit is read again:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from bincam.audit import Settings, open_audit, run
        >>> from bincam.data import AttributeTable, write_celeba
        >>> from bincam.models import build
        >>> random, folder = np.random.default_rng(0), Path(tempfile.mkdtemp())
        >>> images = random.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
        >>> ids, labels = [f"{n}.png" for n in range(8)], np.float32([[0], [1]] * 4)
        >>> table = AttributeTable(
        ...     names=("Smiling",), labels=labels, ids=tuple(ids), root=folder, splits=np.array(["test"] * 8)
        ... )
        >>> data = write_celeba(table, images, folder / "data")
        >>> model = build(
        ...     "resnet10t", ["Smiling"], channels=[8, 8, 8, 8], stem_width=8,
        ...     input_size=(64, 64), mean=(0.5,) * 3, std=(0.25,) * 3,
        ... )
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no references, no training counts
        ...     _ = run(model, data, folder / "audit", Settings(gate_images=0))
        >>> audit = open_audit(folder / "audit")
        >>> audit.manifest.data.images, audit.attributes, audit.minority("Smiling")
        (8, ('Smiling',), 1)
        >>> records = audit.records(["row", "attribute", "label", "logit", "outcome", "grad_cam.mass"])
        >>> records["label"].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
        >>> [maps.shape for maps in audit.maps()], int(audit.means()[1].sum())
        ([(8, 1, 2, 2)], 8)
        >>> audit.summary["attributes"]["Smiling"]["train_counts"]
        [4, 4]
    """
    folder = local_folder(path)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give the folder of an audit")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; 'bincam audit --out {folder}' makes one")
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} contains no {MANIFEST}, so it is no audit; 'bincam audit --out FOLDER' makes one")
    audit = Audit(folder, read_manifest(folder / MANIFEST))
    check_stated(audit.manifest.yes_or_no, audit.manifest.model.card.get("one_of") or {}, str(folder / MANIFEST))
    if unfinished:
        return audit
    if not (folder / SUMMARY).is_file():
        _check_measured(audit)
        raise InputError(f"{folder}: unfinished audit: no {SUMMARY}; 'bincam summarise {folder}' writes it")
    check_seal(folder, audit.manifest, read_summary(folder / SUMMARY))
    return _checked(audit)


def open_measured(path: str | os.PathLike[str]) -> Audit:
    """Open an audit that lacks its summary at most: all that ``summarise`` reads is there.

    Args:
        path: The folder.

    Raises:
        InputError: As ``open_audit``; or a shard or another file is missing, with the command that writes it.
    """
    audit = open_audit(path, unfinished=True)
    if not (audit.folder / SUMMARY).is_file():
        _check_measured(audit)
    check_measured(audit.folder, audit.manifest, _summary(audit.folder))
    return _checked(audit)


def _summary(folder: Path) -> dict[str, Any] | None:
    """The summary, if it is there and can be read; ``summarise`` replaces it."""
    try:
        return read_summary(folder / SUMMARY)
    except InputError:
        return None


def unwritten(folder: Path) -> list[str]:
    """List the files that an audit writes between its last shard and its summary, and that are not there."""
    parts = (IMAGES, MEANS, REGIONS, MEAN_IMAGE, UNMEASURED, LEAKAGE, SAMPLE, RELABEL)
    former = {UNMEASURED: FORMER_UNMEASURED}
    return [name for name in parts if not any((folder / n).is_file() for n in (name, former.get(name, name)))]


def _check_measured(audit: Audit) -> None:
    """Refuse an audit that lacks more than its summary."""
    folder, complete = audit.folder, audit.shards - len(missing_shards(audit.folder, audit.manifest))
    if complete < audit.shards:
        raise InputError(
            f"{folder}: unfinished audit: {complete} of {audit.shards} shards and no {SUMMARY}; finish it with the "
            "same 'bincam audit ... --resume'"
        )
    if missing := unwritten(folder):
        raise InputError(
            f"{folder}: unfinished audit: all shards are there, but neither {missing[0]} nor {SUMMARY}; the same "
            "'bincam audit ... --resume' writes them without measuring the images again"
        )


def _checked(audit: Audit) -> Audit:
    """Return an audit whose files are there and agree with its manifest; else refuse it."""
    for number in range(audit.shards):
        present(records_file(audit.folder, number))
        if audit.one_of:
            present(scores_file(audit.folder, number))
        if audit.manifest.second_head:
            present(set_scores_file(audit.folder, number))
    _check_records(audit)
    return audit


def _check_records(audit: Audit) -> None:
    """Refuse a folder whose first records disagree with its manifest."""
    if audit.shards == 0:
        return
    file = records_file(audit.folder, 0)
    names_there = read_columns(file)
    expected = audit.schema
    if names_there != expected.names:
        differing = sorted(set(names_there) ^ set(expected.names)) or names_there
        raise InputError(
            f"{file}: other columns than {MANIFEST} states (first: {differing[0]!r}); make the audit again"
        )
    names = read_table(file, ["attribute"])["attribute"].unique().to_pylist()  # in the order of the file
    if names and tuple(names) != audit.attributes:
        pairs = zip_longest(names, audit.attributes, fillvalue="nothing")
        at, (got, expected_name) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
        raise InputError(
            f"{file}: other attributes, or in another order, than {MANIFEST} states (at position {at}: {got!r}, "
            f"expected {expected_name!r}); make the audit again"
        )


def missing_shards(folder: Path, manifest: Manifest) -> list[int]:
    """List the numbers of the shards that are not complete; several processes may have written them in any order."""
    return [number for number in range(manifest.shards) if not records_file(folder, number).is_file()]
