"""A contrast as a report reads it: its document, its two models, and the first at its adjusted threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bincam.audit.folder.reader import open_audit
from bincam.errors import InputError
from bincam.files import read_json
from bincam.report.reading.audited_model import BIAS_SHARE, Arm
from bincam.stats.estimate import Estimate, undefined
from bincam.stats.formatting import listed, written

FILE, KIND, SCHEMA = "contrast.json", "bincam-contrast", 1


@dataclass(frozen=True, kw_only=True)
class MovedArm(Arm):
    """The first model at its adjusted threshold: the same maps, other errors; named as the contrast's column.

    Attributes:
        entries: The contrast's figures, by attribute.
    """

    entries: Mapping[str, Mapping[str, Any]]

    def rate(self, attribute: str, measure: str) -> Estimate:
        """Errors at the adjusted threshold; what no threshold changes is the first model's."""
        held = self.entries[attribute]["errors"].get(measure)
        if held is not None:
            return Estimate.from_json(held.get(self.name))
        return super().rate(attribute, measure) if measure in {"auroc", "ap"} else undefined("")

    def measure(self, attribute: str, column: str, group: str) -> Estimate:
        """Measures of the images whose answer the adjusted threshold does not change."""
        held = self._column(self.entries[attribute]["measures"], column).get(group) or {}
        return Estimate.from_json(held.get(self.name))

    def overall(self, attributes: Sequence[str], measure: str, group: str = "") -> Estimate:
        """The mean over the attributes, without an interval."""
        return self._mean(attributes, measure, group)

    def family(self, name: str) -> None:
        """None: no tests are made at the adjusted threshold alone."""
        del name


@dataclass(frozen=True)
class Contrast:
    """A contrast's folder.

    Attributes:
        folder: Its path.
        document: ``contrast.json``.
        first: The unbalanced model.
        second: The balanced one.
    """

    folder: Path
    document: Mapping[str, Any]
    first: Arm
    second: Arm

    @property
    def findings(self) -> list[str]:
        """The strongest differences, in sentences."""
        return list(self.document.get("findings") or ())

    @cached_property
    def moved(self) -> MovedArm | None:
        """The first model at its adjusted threshold; None where none is known, or it is the audited one."""
        held = self.document.get("moved") or {}
        if held.get("reason") or not held.get("thresholds"):
            return None
        first, name = self.first, self.document["columns"][1]
        return MovedArm(name, first.audit, first.summary, entries=self.document["attributes"])

    @property
    def note(self) -> str:
        """Where the adjusted thresholds come from, or why there are none."""
        held = self.document.get("moved") or {}
        if held.get("reason"):
            return f"No column for an adjusted threshold: {held['reason']}."
        if held.get("from") == "card":
            return "Adjusted thresholds come from the model's card, where training writes the best on validation."
        return f"Adjusted thresholds come from {held['from']}." if held.get("from") else ""

    def sentences(self, attribute: str) -> Sequence[str]:
        """The paragraph of an attribute."""
        paragraph: Sequence[str] = (self.document.get("sentences") or {}).get(attribute) or ()
        return paragraph

    @cached_property
    def corrected(self) -> dict[tuple[str, str, str | None], float | None]:
        """Holm's p-values by attribute, measure and group."""
        return {
            (test["attribute"], test["measure"], test.get("group")): test["holm"]
            for family in self.document.get("families") or ()
            for test in family["tests"]
        }

    def correlations(self) -> list[str]:
        """Correlations of the imbalance in training with the maps of majority answers, in sentences."""
        sentences = []
        correlation = self.document.get("correlation") or {}
        for measure, column in (("gain", f"{self.first.method}.gain"), ("bias share", BIAS_SHARE)):
            parts = [
                f"{written(Estimate.from_json(model | {'value': model['rho']}))} ({name})"
                for name, model in (correlation.get(column) or {}).items()
                if model.get("rho") is not None
            ]
            if parts:
                sentences.append(
                    f"Across attributes, the more lopsided the training labels, the {measure} of majority answers: "
                    f"Spearman's ρ {listed(parts)}."
                )
        return sentences


def open_contrast(folder: Path) -> Contrast:
    """Read a contrast and the two audits that it was made of.

    Raises:
        InputError: It is none, an audit is gone, or is no longer the one that was compared.
    """
    document = read_json(folder / FILE, kind=KIND, schema=SCHEMA)
    first, second = (_arm(folder, document["arms"][which]) for which in ("first", "second"))
    return Contrast(folder, document, first, replace(second, classes=first.audit))


def _arm(folder: Path, held: Mapping[str, Any]) -> Arm:
    given = Path(held["folder"])
    # A contrast that was moved together with its audits finds them beside itself.
    places = [given, folder / given.name, folder.parent / given.name]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise InputError(f"{folder / FILE}: the audit {given} is gone; put it back, or beside the contrast")
    audit = open_audit(found)
    if audit.manifest.settings_digest != held["settings_digest"]:
        raise InputError(f"{found} is no longer the audit that {folder / FILE} was made of; make the contrast again")
    return open_arm(str(held["name"]), audit)


def open_arm(name: str, audit: Any) -> Arm:
    """An audit as one of a report's models.

    Raises:
        InputError: Its summary is empty.
    """
    summary = audit.summary
    if not summary or not summary.get("attributes"):
        raise InputError(f"{audit.folder}: its summary holds no attributes; make the audit again")
    return Arm(name, audit, summary)
