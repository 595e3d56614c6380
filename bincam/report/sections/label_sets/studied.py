"""The studies of sets of audited models, as the section reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bincam.audit.gate.label_sets import STUDY
from bincam.report.reading.audited_model import Arm
from bincam.stats.estimate import Estimate
from bincam.studies.folder import study_folder
from bincam.studies.sets.stored import stored_sets
from bincam.studies.sets.study import NAME

FAIR = "class_conditional"
"""The rule that every class is covered by."""


@dataclass(frozen=True)
class StudiedSets:
    """The study of one model.

    Attributes:
        arm: The model.
        summary: The study's summary.
    """

    arm: Arm
    summary: Mapping[str, Any]

    @property
    def subjects(self) -> Mapping[str, Mapping[str, Any]]:
        """Sets of outputs and attributes."""
        subjects: Mapping[str, Mapping[str, Any]] = self.summary["subjects"]
        return subjects

    @property
    def primary(self) -> str:
        """The rule that is shown where one is; the first that any subject has if the study has no primary one."""
        rules = [rule for subject in self.subjects.values() for rule in subject["rules"]]
        return self.summary["primary"] or next(iter(rules), "")

    @property
    def alpha(self) -> float:
        """The share of true labels that conformal sets may miss."""
        return float(self.summary["alpha"])

    def figure(self, subject: str, rule: str, name: str) -> Estimate:
        """Return an estimate of a subject by a rule; undefined where there is none."""
        return Estimate.from_json((self.subjects[subject]["rules"].get(rule) or {}).get(name))

    def shown(self, subject: str) -> list[str]:
        """List the rules that figures compare: the primary one, and the one that covers every class."""
        rules = self.subjects[subject]["rules"]
        return [rule for rule in dict.fromkeys((self.primary, FAIR)) if rule in rules]


def studied_sets(arms: Sequence[Arm]) -> tuple[list[StudiedSets], list[str]]:
    """Return the studies that are finished and rest on their audits, and why others are not shown."""
    found, notes = [], []
    for arm in arms:
        if not study_folder(arm.audit, NAME).exists():
            continue
        stored = stored_sets(arm.audit)[STUDY]
        if "summary" in stored:
            found.append(StudiedSets(arm, stored["summary"]))
        else:
            notes.append(f"The study of sets of {arm.phrase} is not shown: {stored['reason']}.")
    return found, notes
