"""The folder of a study: what it was begun with, the audit it rests on, and whether it is finished.

``study.json`` is written first and ``summary.json`` last. Both state the study's kind, and ``study.json`` the digest of
the audit's measurements, so that a study of other measurements is never taken for one of these. The summary seals the
study: it states digests of its files, which are checked where a finished study is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bincam.audit.folder.audit import Audit
from bincam.audit.folder.digest import content_digest
from bincam.errors import InputError
from bincam.files import read_json, write_json
from bincam.folder_lock import FolderLock, take
from bincam.studies.seal import STUDY, SUMMARY, check_seal, sealed

STUDIES = "studies"
_COMMANDS = {"test-time": "zoom ... --test-time"}


@dataclass(frozen=True)
class StudyFolder:
    """A study on disk; ``begin`` opens it for writing, ``open`` for reading.

    Attributes:
        folder: The study's folder.
        name: Its name: ``zoom``, ``sets``.
        settings: The settings that it was begun with, as JSON has them.
        audit: ``Audit.digest`` of the audit it rests on; None without an audit.
        lock: The folder as ``begin`` has taken it, until the summary is written or nobody has the study any more; None
            of a study that was opened.

    Example:
        >>> from tempfile import mkdtemp
        >>> study = StudyFolder.begin(Path(mkdtemp(), "zoom"), "zoom", {"plan": "short"})
        >>> study.finished
        False
        >>> study.write_summary({"images": 12})
        >>> StudyFolder.open(study.folder, "zoom").summary["images"]
        12
        >>> StudyFolder.begin(study.folder, "zoom", {"plan": "paper"}, resume=True)
        Traceback (most recent call last):
        ...
        bincam.errors.InputError: ...: the zoom study there was begun with different plan (short, now paper); ...
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    audit: str | None = None
    lock: FolderLock | None = field(default=None, compare=False, repr=False)

    @classmethod
    def begin(
        cls,
        folder: str | os.PathLike[str],
        name: str,
        settings: Mapping[str, Any],
        *,
        audit: Audit | None = None,
        resume: bool = False,
    ) -> Self:
        """Write ``study.json``, or check that the one in the folder states the same study.

        Args:
            folder: A new or empty folder, or one of such a study; ``study_folder`` names that of an audit.
            name: Name of the study.
            settings: All that its result depends on besides the audit, as JSON has it.
            audit: The audit it rests on, if any.
            resume: Go on with a study that was begun; a finished one is opened as it is.

        Raises:
            InputError: The folder contains something else, a study that is not to be resumed, or one begun with other
                settings or of other measurements; or another process is writing it.
        """
        place = Path(folder)
        if place.exists() and not place.is_dir():
            raise InputError(f"{place} is a file, not a folder; choose another place for the study")
        lock = take(place, writes=("*", "*/*"))
        study = cls(place, name, dict(settings), None if audit is None else audit.digest, lock)
        if (place / STUDY).is_file():
            if not resume:
                raise InputError(
                    f"{place} already contains a study; resume it with --resume, or remove the folder to begin again"
                )
            study._check_same(cls._read(place, name))
            study.check_seal()
            return study
        others = (
            sorted(file.name for file in place.iterdir() if not file.name.startswith(".")) if place.exists() else []
        )
        if others:
            raise InputError(f"{place} contains other files ({others[0]}, ...); choose a new or empty folder")
        write_json(place / STUDY, study._content)
        return study

    @classmethod
    def open(cls, folder: str | os.PathLike[str], name: str, *, audit: Audit | None = None) -> Self:
        """Open a finished study.

        Args:
            folder: The study's folder.
            name: Name of the study.
            audit: The audit that it must rest on; not checked by default.

        Raises:
            InputError: There is none, it is unfinished, it rests on other measurements than the audit's, or a file is
                not the one that the study wrote.
        """
        place = Path(folder)
        if not (place / STUDY).is_file():
            raise InputError(f"{place}: no {name} study; '{_command(name)}' makes one")
        study = cls._read(place, name)
        if audit is not None:
            study.check_rests_on(audit.digest)
        if not study.finished:
            raise InputError(f"{place}: the {name} study is unfinished; finish it with '{_command(name)} --resume'")
        study.check_seal()
        return study

    @classmethod
    def _read(cls, place: Path, name: str) -> Self:
        content = read_json(place / STUDY, kind=study_kind(name), schema=1)
        settings, audit = content.get("settings"), content.get("audit")
        if not isinstance(settings, dict) or not (audit is None or isinstance(audit, str)):
            raise InputError(f"{place / STUDY}: 'settings' and 'audit' are missing or damaged; make the study again")
        return cls(place, name, settings, audit)

    @property
    def _content(self) -> dict[str, Any]:
        """The content of ``study.json``."""
        return {"kind": study_kind(self.name), "schema": 1, "audit": self.audit, "settings": dict(self.settings)}

    @property
    def digest(self) -> str:
        """SHA-256 of what the study was begun with, by which its parts are known before it is sealed."""
        return content_digest(self._content)

    def check_seal(self) -> None:
        """Refuse a finished study of which a file is not the one that was written.

        Raises:
            InputError: It is refused.
        """
        if self.finished:
            check_seal(self.folder, self._content, self.summary, _command(self.name))

    def check_same(self) -> None:
        """Refuse a folder whose ``study.json`` is no longer that of this study.

        Raises:
            InputError: It is missing, or states another study.
        """
        self._check_same(self._read(self.folder, self.name))

    def _check_same(self, former: StudyFolder) -> None:
        for key in dict.fromkeys([*self.settings, *former.settings]):
            now, then = self.settings.get(key), former.settings.get(key)
            if now != then:
                raise InputError(
                    f"{self.folder}: the {self.name} study there was begun with different {key} ({_short(then)}, now "
                    f"{_short(now)}); choose the same settings, or remove the folder to begin again"
                )
        if former.audit != self.audit:
            former.check_rests_on(self.audit)

    def check_rests_on(self, digest: str | None) -> None:
        """Refuse a study of other measurements than those with this ``Audit.digest``.

        Raises:
            InputError: It is refused.
        """
        if self.audit != digest:
            raise InputError(
                f"{self.folder}: the {self.name} study there rests on other measurements than the audit's; remove the "
                "folder and make the study again"
            )

    @property
    def finished(self) -> bool:
        """True once the summary has been written."""
        return (self.folder / SUMMARY).is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``.

        Raises:
            InputError: The study is unfinished, or the file is of another kind or schema.
        """
        return read_json(self.folder / SUMMARY, kind=f"{study_kind(self.name)}-summary", schema=1)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``, which marks the study as complete and seals its files."""
        named = {"kind": f"{study_kind(self.name)}-summary", "schema": 1, **summary}
        content = sealed(self.folder, self._content, named)
        write_json(self.folder / SUMMARY, content, compact=True)
        if self.lock is not None:
            self.lock.release()


def study_folder(audit: Audit, name: str) -> Path:
    """Return the folder of a study in an audit's folder."""
    return audit.folder / STUDIES / name


def study_kind(name: str) -> str:
    """Return the kind that the files of a study state.

    >>> study_kind("zoom")
    'bincam-study-zoom'
    """
    return f"bincam-study-{name}"


def _command(name: str) -> str:
    """The command that makes studies of a name."""
    return f"bincam {_COMMANDS.get(name, name)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
