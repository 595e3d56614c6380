"""The study itself: rules fitted on one part of the images, their sets judged on the other, and written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.reader import open_audit
from bincam.errors import InputError
from bincam.followed import remove
from bincam.studies.folder import StudyFolder, study_folder
from bincam.studies.seal import STUDY
from bincam.studies.sets.curve import size_coverage
from bincam.studies.sets.division import Division, divide_audits, divide_people
from bincam.studies.sets.figures import (
    attribute_figures,
    head_figures,
    rule_entry,
    set_figures,
    top_k_accuracy,
)
from bincam.studies.sets.fitted import FittedRule
from bincam.studies.sets.fitting import HEAD, Fits, check_sizes, fit_answers, fit_attributes
from bincam.studies.sets.per_image import SetColumns
from bincam.studies.sets.settings import SetsSettings

if TYPE_CHECKING:
    from bincam.audit.folder.audit import Audit

NAME = "sets"
ALL = "attributes"
"""Column of the sets of all attributes in the files of sets per image."""
Track = Callable[[Sequence[str]], Iterable[str]]


def run_sets(
    audit: Audit,
    settings: SetsSettings | None = None,
    *,
    calibration: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    track: Track | None = None,
) -> StudyFolder:
    """Make the study of sets of an audit, in ``AUDIT/studies/sets/``.

    Args:
        audit: The audit. Neither its model nor its images are needed.
        settings: Sizes, coverage, methods; half of the audit's people to calibrate on by default.
        calibration: Folder of an audit of the calibration split by the same model, in place of a share of this one.
        out: Folder of the study; the audit's by default.
        resume: Return a finished study of the same settings as it is, and make one that was interrupted.
        track: Wraps the subjects as they are judged, to show progress.

    Returns:
        The study's folder, finished.

    Raises:
        InputError: A setting is out of range, the calibration is of another model, of other outputs or of the judged
            images, or too few of its images can be used.

    Example:
        >>> from bincam.studies.sets.study import run_sets
        >>> run_sets.__name__
        'run_sets'
    """
    chosen = (settings or SetsSettings()).check()
    other = None if calibration is None else open_audit(calibration)
    stated = {**chosen.to_json(), "share": None} if other else chosen.to_json()
    stated["calibration"] = None if other is None else other.digest
    # Everything is checked before a folder is made.
    division = _divided(audit, other, chosen)
    check_sizes(chosen.sizes, division.judged)
    study = StudyFolder.begin(out or study_folder(audit, NAME), NAME, stated, audit=audit, resume=resume)
    if not study.finished:
        try:
            content = _Judged(division, chosen, study.folder, track).summary()
        except InputError:  # nothing could be fitted, so there is nothing to resume
            remove(study.folder / STUDY)
            with suppress(OSError):
                study.folder.rmdir()
            raise
        manifest = audit.manifest
        views = None if manifest.views is None else [list(view) for view in manifest.views]
        of_model = {"model": manifest.model.digest, "views": views, "thresholds": dict(manifest.thresholds),
                    "second_head": division.second_head}  # fmt: skip
        study.write_summary({**of_model, **content})
    return study


def _divided(audit: Audit, other: Audit | None, settings: SetsSettings) -> Division:
    if other is not None:
        return divide_audits(audit, other)
    if settings.share is None:
        raise InputError("nothing to calibrate on: state a share of the audit's people, or another audit")
    return divide_people(audit, settings.share, settings.seed)


class _Judged:
    """The work of one study: subjects one after the other, whose sets become columns of the files of sets per image."""

    def __init__(self, division: Division, settings: SetsSettings, folder: Path, track: Track | None) -> None:
        self.division, self.settings, self.folder = division, settings, folder
        self.track: Track = track or iter
        self.columns: dict[str, SetColumns] = {}
        self.left_out: list[dict[str, str]] = []

    def summary(self) -> dict[str, Any]:
        """Judge everything, write the sets of each image, and return the content of the summary.

        Raises:
            InputError: No rule could be fitted.
        """
        judged, subjects = self.division.judged, {}
        for name in self.track([*judged.sets, *judged.attributes]):
            subjects[name] = self._set(name) if name in judged.sets else self._head(name)
        attributes = self._attributes() if judged.attributes else None
        if not self.columns:
            raise InputError(self.left_out[0]["reason"] if self.left_out else "no method of sets suits this audit")
        for columns in self.columns.values():
            columns.write(self.folder, judged)
        return {
            **self.settings.to_json(),
            "primary": self.settings.primary,
            **self.division.to_json(),
            "subjects": subjects,
            "attributes": attributes,
            "left_out": self.left_out,
            "slices_left_out": list(judged.left_out),
        }

    def _set(self, name: str) -> dict[str, Any]:
        calibration, judged = self.division.calibration, self.division.judged
        own, to_judge = calibration.sets[name], judged.sets[name]
        fits = fit_answers(own.scores, own.true, own.outputs, calibration.people, self.settings,
                           second_head=self.division.second_head)  # fmt: skip
        rules = {}
        for rule, fitted in self._fitted(name, fits):
            sets = fitted.sets(to_judge.scores)
            self._column(rule).add_set(name, sets, to_judge.outputs)
            rules[rule] = rule_entry(fitted, set_figures(sets, to_judge, judged, name))
            if rule.startswith("average_k=") and (size := float(rule.partition("=")[2])).is_integer():
                rules[rule]["top_k"] = top_k_accuracy(to_judge, int(size), judged.clusters)
        rare = [output for output, is_rare in zip(own.outputs, to_judge.rare, strict=True) if is_rare]
        curve = size_coverage(to_judge.scores, to_judge.true, to_judge.rare)
        return {"kind": "one_of", "answers": list(own.outputs), "minority": rare, "rules": rules,
                "curve": curve.to_json()}  # fmt: skip

    def _head(self, name: str) -> dict[str, Any]:
        calibration, judged = self.division.calibration, self.division.judged
        a = judged.attributes.index(name)
        minority = int(judged.minority[a])
        fits = fit_answers(calibration.answers(a), _index(calibration.label(a)), HEAD, calibration.people,
                           self.settings)  # fmt: skip
        scores, labels = judged.answers(a), judged.label(a)
        rules = {}
        for rule, fitted in self._fitted(name, fits):
            sets = fitted.sets(scores)
            self._column(rule).add_head(name, sets)
            rules[rule] = rule_entry(fitted, head_figures(sets, labels, minority, judged, name))
        curve = size_coverage(scores, _index(labels), [minority < 0, minority > 0])
        return {"kind": "yes_or_no", "answers": list(HEAD), "minority": [HEAD[int(minority > 0)]], "rules": rules,
                "curve": curve.to_json()}  # fmt: skip

    def _attributes(self) -> dict[str, Any] | None:
        calibration, judged = self.division.calibration, self.division.judged
        scores, rules = judged.probability(), {}
        for rule, fitted in self._fitted(ALL, fit_attributes(calibration, self.settings)):
            sets = fitted.sets(scores)
            self._column(rule).add_set(ALL, sets, judged.attributes)
            rules[rule] = rule_entry(fitted, attribute_figures(sets, judged))
        with np.errstate(invalid="ignore"):
            prevalence = (judged.labels == 1).sum(0) / (~np.isnan(judged.labels)).sum(0)
        shares = {
            name: None if np.isnan(share) else float(share)
            for name, share in zip(judged.attributes, prevalence, strict=True)
        }
        return {"answers": list(judged.attributes), "prevalence": shares, "rules": rules} if rules else None

    def _fitted(self, subject: str, fits: Fits) -> Iterable[tuple[str, FittedRule]]:
        self.left_out += [{"subject": subject, "rule": rule, "reason": why} for rule, why in fits.left_out.items()]
        return fits.rules.items()

    def _column(self, rule: str) -> SetColumns:
        return self.columns.setdefault(rule, SetColumns(rule))


def _index(labels: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the index of the true answer of a yes-or-no attribute, -1 where unknown."""
    return np.where(np.isnan(labels), -1, labels).astype(np.int64)
