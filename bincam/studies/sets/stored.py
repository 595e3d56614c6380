"""A finished study of sets, as gates, pages and explanations read it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.files import MANIFEST
from bincam.audit.folder.reader import open_audit
from bincam.audit.gate.label_sets import ADVICE, STUDY
from bincam.errors import InputError, nearest
from bincam.storage import local_folder
from bincam.studies.folder import StudyFolder, study_folder
from bincam.studies.seal import SUMMARY
from bincam.studies.sets.fitted import FittedRule
from bincam.studies.sets.study import ALL, NAME

if TYPE_CHECKING:
    from bincam.audit.folder.audit import Audit

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "model": str,
    "views": (list, type(None)),
    "alpha": (int, float),
    "primary": (str, type(None)),
    "thresholds": dict,
    "calibration": dict,
    "judged": dict,
    "notes": list,
    "left_out": list,
    "subjects": dict,
    "attributes": (dict, type(None)),
}
"""Keys of a summary and their types."""


def stored_sets(audit: Audit) -> dict[str, Any]:
    """Return the study's summary as rules of a gate find it, or the reason why none rests on the audit."""
    if not study_folder(audit, NAME).exists():
        return {STUDY: {"reason": f"the audit has no study of sets; {ADVICE}"}}
    try:
        return {STUDY: {"summary": _content(StudyFolder.open(study_folder(audit, NAME), NAME, audit=audit))}}
    except InputError as error:
        return {STUDY: {"reason": str(error)}}


@dataclass(frozen=True)
class SetRules:
    """The fitted rules of a study, for other images of the same model.

    Attributes:
        source: The study's folder.
        digest: The model's digest, as the study's audit states it.
        subjects: Subject to its rules by name; ``attributes`` is all attributes at once.
        primary: Name of the primary rule.
        thresholds: t of the attributes, in logit units.
        views: Views ``(S, row, column)`` whose mean scores the thresholds are of; None for the model's own crop.
        second_head: True if the scores of sets of outputs are those of the model's second head.
    """

    source: Path
    digest: str
    subjects: Mapping[str, Mapping[str, FittedRule]]
    primary: str | None
    thresholds: Mapping[str, float]
    views: tuple[tuple[int, int, int], ...] | None = None
    second_head: bool = False

    def of(self, rule: str | None) -> tuple[str, dict[str, FittedRule]]:
        """Return a rule's name and its thresholds by subject; the primary one where none is named.

        Raises:
            InputError: The study has no such rule.
        """
        known = list(dict.fromkeys(name for rules in self.subjects.values() for name in rules))
        asked = rule or self.primary or next(iter(known), "")
        if asked not in known:
            raise InputError(f"{self.source}: no sets by {asked!r}{nearest(asked, known)}")
        return asked, {name: rules[asked] for name, rules in self.subjects.items() if asked in rules}


def read_rules(path: str | os.PathLike[str]) -> SetRules:
    """Read the rules of a study.

    Args:
        path: Folder of an audit with a finished study, or of the study itself.

    Raises:
        InputError: There is none, it is unfinished, rests on other measurements than its audit's, or is damaged.
    """
    place = local_folder(path)
    if (place / MANIFEST).is_file():
        audit = open_audit(place)
        study = StudyFolder.open(study_folder(audit, NAME), NAME, audit=audit)
    else:
        study = StudyFolder.open(place, NAME)
    summary = _content(study)
    entries = {name: entry["rules"] for name, entry in summary["subjects"].items()}
    if summary["attributes"]:
        entries[ALL] = summary["attributes"]["rules"]
    subjects = {
        name: {rule: FittedRule.from_json(entry.get("fitted")) for rule, entry in rules.items()}
        for name, rules in entries.items()
    }
    seen = summary.get("views")
    views = None if seen is None else tuple((int(size), int(row), int(column)) for size, row, column in seen)
    return SetRules(
        study.folder, str(summary["model"]), subjects, summary["primary"], summary["thresholds"], views,
        second_head=bool(summary.get("second_head")),
    )  # fmt: skip


def _content(study: StudyFolder) -> dict[str, Any]:
    """Read the summary of a study, with everything that its readers need.

    Raises:
        InputError: A key is missing, or of another type.
    """
    summary, file = study.summary, study.folder / SUMMARY
    for key, kinds in _KEYS.items():
        if not isinstance(summary.get(key), kinds):
            raise InputError(f"{file}: {key!r} is missing or damaged; remove {study.folder} and make the study again")
    entries = {**summary["subjects"], **({ALL: summary["attributes"]} if summary["attributes"] else {})}
    for name, entry in entries.items():
        if not (isinstance(entry, dict) and isinstance(entry.get("rules"), dict) and entry.get("answers")):
            raise InputError(f"{file}: the entry of {name!r} is damaged; remove {study.folder} and make it again")
    return summary
