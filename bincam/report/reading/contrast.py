"""A contrast: its document, its two models, and the first at its adjusted threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bincam.audit.folder.reader import open_audit
from bincam.compare.document import check_seal
from bincam.compare.names import names_from
from bincam.compare.paired_audits import REFERENCE_SPLIT
from bincam.compare.sets.differences import FAMILY
from bincam.compare.sets.sentences import left_out
from bincam.errors import InputError
from bincam.files import read_json
from bincam.report.reading.audited_model import BIAS_SHARE, Arm
from bincam.stats.estimate import Estimate, undefined
from bincam.stats.formatting import counted, listed, p_stated, written
from bincam.storage import local_folder

FILE, KIND, SCHEMA = "contrast.json", "bincam-contrast", 1


@dataclass(frozen=True, kw_only=True)
class MovedArm(Arm):
    """The first model at its adjusted threshold, with the same maps and other errors.

    Attributes:
        entries: The contrast's entries, by attribute.
    """

    entries: Mapping[str, Mapping[str, Any]]

    def rate(self, attribute: str, measure: str) -> Estimate:
        """Return an error at the adjusted threshold; AUROC and AP, which use none, are the first model's."""
        by_column = self.entries[attribute]["errors"].get(measure)
        if by_column is not None:
            return Estimate.from_json(by_column.get(self.key))
        return super().rate(attribute, measure) if measure in {"auroc", "ap"} else undefined("")

    def measure(self, attribute: str, column: str, group: str) -> Estimate:
        """Return a measure of the images whose predicted class the adjusted threshold does not change."""
        by_column = self._column(self.entries[attribute]["measures"], column).get(group) or {}
        return Estimate.from_json(by_column.get(self.key))

    def overall(self, attributes: Sequence[str], measure: str, group: str = "") -> Estimate:
        """Return the mean over attributes, without an interval."""
        return self.mean_of(attributes, measure, group)

    def family(self, name: str) -> None:
        """Return None, because no tests are made at the adjusted threshold alone."""
        del name


@dataclass(frozen=True)
class Contrast:
    """A contrast of two audited models.

    Attributes:
        folder: Its folder.
        document: Content of ``contrast.json``.
        first: The first model.
        second: The second model.
    """

    folder: Path
    document: Mapping[str, Any]
    first: Arm
    second: Arm

    @property
    def findings(self) -> list[str]:
        """The largest differences, in sentences."""
        return list(self.document.get("findings") or ())

    @cached_property
    def moved(self) -> MovedArm | None:
        """The first model at its adjusted threshold; None where none is known, or it is the audited one."""
        moved = self.document.get("moved") or {}
        if moved.get("reason") or not moved.get("thresholds"):
            return None
        first, key = self.first, self.document["columns"][1]
        return MovedArm(
            f"{first.name}, adjusted threshold", first.audit, first.summary, key=key,
            entries=self.document["attributes"],
        )  # fmt: skip

    @property
    def note(self) -> str:
        """The source of the adjusted thresholds, or the reason why there are none."""
        moved = self.document.get("moved") or {}
        if moved.get("reason"):
            return f"No column for an adjusted threshold: {moved['reason']}."
        if moved.get("from") == "card":
            where = (
                ", which is among the audited images: they are fitted on these same images, so optimistic"
                if moved.get("fitted_on_audited")
                else ""
            )
            return (
                "Adjusted thresholds come from the model's card, where training writes the best ones on the validation "
                f"split{where}."
            )
        if moved.get("from") == REFERENCE_SPLIT:
            return "Adjusted thresholds were chosen on the reference split of the first audit, which is not audited."
        return f"Adjusted thresholds come from {moved['from']}." if moved.get("from") else ""

    def sentences(self, attribute: str) -> Sequence[str]:
        """Return the paragraph of an attribute."""
        paragraph: Sequence[str] = (self.document.get("sentences") or {}).get(attribute) or ()
        return paragraph

    @cached_property
    def corrected(self) -> dict[tuple[str, str, str | None], float | None]:
        """Holm-corrected p-values by attribute, measure and group."""
        return {
            (test["attribute"], test["measure"], test.get("group")): test["holm"]
            for family in self.document.get("families") or ()
            for test in family["tests"]
        }

    @property
    def tests_on_sets(self) -> int:
        """The number of tests that the p-values of sets are corrected for; 0 in contrasts of earlier versions."""
        families = self.document.get("families") or ()
        return next((int(family["size"]) for family in families if family["name"] == FAMILY), 0)

    @property
    def left_out(self) -> list[str]:
        """The sets that are not compared, and why; the outputs that are compared one by one."""
        names = names_from(self.document)
        if "sets_only_in_first" in self.document:
            return left_out(self.document, names)
        compared = self.document.get("sets") or {}  # of an earlier version, which states no reason
        single = dict.fromkeys(
            name for arm in (self.first, self.second) for name in arm.audit.one_of if name not in compared
        )
        return [f"set {name!r} is not compared, because one audit alone has it" for name in single]

    def correlations(self) -> list[str]:
        """State how imbalance in training correlates with gain and bias share where the majority is predicted."""
        sentences = []
        counted_from = str(self.document.get("minority_from") or "card")
        labels = "training labels" if counted_from == "card" else f"counted labels ({counted_from})"
        correlation = self.document.get("correlation") or {}
        for measure, column in (("gain", f"{self.first.method}.gain"), ("bias share", BIAS_SHARE)):
            parts = [
                f"{_correlation(model)} ({arm.name}; {counted(model['attributes'], 'attribute')}{_p(model)})"
                for arm in (self.first, self.second)
                if (model := (correlation.get(column) or {}).get(arm.key) or {}).get("rho") is not None
            ]
            if parts:
                sentences.append(
                    f"Across attributes, the imbalance of the {labels} and the {measure} where the majority is "
                    f"predicted have a rank correlation (Spearman's ρ) of {listed(parts)}."
                )
        return sentences


def _p(entry: Mapping[str, Any]) -> str:
    """Write the p-value; of few attributes it is exact."""
    if entry.get("p") is None:
        return ""
    return f", {'exact ' if entry.get('test') == 'exact' else ''}{p_stated(float(entry['p']))}"


def _correlation(entry: Mapping[str, Any]) -> str:
    estimate = Estimate.from_json({**entry, "value": entry["rho"]})
    few = ", of too few attributes to rely on" if estimate.small else ""
    return written(replace(estimate, status="ok")) + few


def open_contrast(folder: Path) -> Contrast:
    """Read a contrast and its two audits.

    Raises:
        InputError: The folder is not a contrast, the contrast was changed since it was written, or an audit is missing
            or no longer the one that was compared.

    Warns:
        BincamWarning: The contrast is of an earlier version, which kept no digests.
    """
    document = read_json(folder / FILE, kind=KIND, schema=SCHEMA)
    check_seal(document, folder / FILE)
    names = names_from(document)
    first, second = (
        replace(_arm(folder, document["arms"][which]), name=name, role=names.roles)
        for which, name in (("first", names.first), ("second", names.second))
    )
    return Contrast(folder, document, first, replace(second, classes=first.audit))


def _arm(folder: Path, entry: Mapping[str, Any]) -> Arm:
    stated = local_folder(entry["folder"])
    # A contrast that was moved together with its audits finds them next to itself.
    candidates = [stated, folder / stated.name, folder.parent / stated.name]
    audit_folder = next((path for path in candidates if path.is_dir()), None)
    if audit_folder is None:
        raise InputError(f"{folder / FILE}: the audit {stated} is missing; put it back, or next to the contrast")
    audit = open_audit(audit_folder)
    measured = entry.get("measurements")
    other = measured is not None and audit.digest != measured
    if other or audit.manifest.settings_digest != entry["settings_digest"]:
        raise InputError(
            f"{audit_folder} is no longer the audit that {folder / FILE} was made of; make the contrast again"
        )
    return replace(open_arm(str(entry["name"]), audit), key=str(entry["name"]))


def open_arm(name: str, audit: Any) -> Arm:
    """Open an audit as one of a report's models.

    Raises:
        InputError: Its summary is empty.
    """
    summary = audit.summary
    if not summary or not (summary.get("attributes") or summary.get("sets")):
        raise InputError(f"{audit.folder}: its summary contains no attributes; make the audit again")
    return Arm(name, audit, summary)
