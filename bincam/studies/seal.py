"""The seal of a study: digests by which it is known, on reading, that its files are those that it wrote.

A finished study's ``summary.json`` states the SHA-256 of every other file of the study, of what ``study.json`` says,
and of itself. A study in a folder within it has a seal of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bincam.audit.folder.digest import content_digest, file_digest
from bincam.errors import BincamWarning, InputError

STUDY, SUMMARY, KEY = "study.json", "summary.json", "seal"


def sealed(folder: Path, study: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a summary the digests of itself and of the files that it was made of.

    Args:
        folder: The study's folder, in which everything but the summary is written.
        study: The content of ``study.json``.
        summary: The summary.
    """
    content = {name: value for name, value in summary.items() if name != KEY}
    seal = {
        "study": content_digest(study),
        "files": {file.relative_to(folder).as_posix(): file_digest(file) for file in _own_files(folder)},
        "summary": content_digest(content),
    }
    return {**content, KEY: seal}


def check_seal(folder: Path, study: Mapping[str, Any], summary: Mapping[str, Any], command: str) -> None:
    """Refuse a finished study of which a file is missing, of another study, or not as it was written.

    Args:
        folder: The study's folder.
        study: The content of its ``study.json``.
        summary: The content of its ``summary.json``.
        command: The command that makes such studies.

    Raises:
        InputError: It is refused; the message names the file.

    Warns:
        BincamWarning: The study is of an earlier version and has no digests.
    """
    written = folder / SUMMARY
    if KEY not in summary:
        warnings.warn(
            f"{folder}: of an earlier bincam, which kept no digests of a study: if its files belong together is not "
            f"known; without {SUMMARY}, '{command} --resume' writes it anew from what is there, with digests",
            BincamWarning,
            stacklevel=4,
        )
        return
    seal = summary[KEY]
    files = seal.get("files") if isinstance(seal, dict) else None
    rest = {name: value for name, value in summary.items() if name != KEY}
    if not isinstance(files, dict) or seal.get("summary") != content_digest(rest):
        raise InputError(
            f"{written}: changed since it was written; put the file back, or remove it: '{command} --resume' writes it "
            "anew from what is there"
        )
    back = f"put the file back, or remove {folder} and make the study again"
    if seal.get("study") != content_digest(study):
        raise InputError(f"{folder / STUDY}: not what the study was begun with; {back}")
    for name, digest in files.items():
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file; {back}")
        if file_digest(folder / name) != digest:
            raise InputError(f"{folder / name}: not the file that the study wrote (its SHA-256 differs); {back}")


def _own_files(folder: Path) -> Iterator[Path]:
    """The files of a study in the order of their names, without hidden ones and those of studies within it."""
    within = [file.parent for file in folder.glob(f"*/{STUDY}")]
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder).as_posix()
        if (
            file.is_file()
            and relative not in (STUDY, SUMMARY)
            and not any(part.startswith(".") for part in Path(relative).parts)
            and not any(file.is_relative_to(other) for other in within)
        ):
            yield file
