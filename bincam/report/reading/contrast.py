"""What a report reads of a contrast: the threshold-moved column, paired differences, the source paper's figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bincam.audit.folder.reader import open_audit
from bincam.errors import InputError
from bincam.files import read_json
from bincam.report.reading.audited_model import BIAS_SHARE, UNDEFINED, Arm, Number
from bincam.report.sections import sentences as words
from bincam.report.view_model import Cell, Table

FILE, KIND, SCHEMA = "contrast.json", "bincam-contrast", 1
ERRORS = ("minority_error", "majority_error")
MEASURES = (
    ("gain", "number"),
    ("energy", "number"),
    ("lift", "number"),
    ("object_gain", "number"),
    ("influence_gain", "number"),
    ("empty", "percent"),
    ("bias_share", "percent"),
)
AMONG = {
    "true:minority": "minority class",
    "true:majority": "majority class",
    "alike:minority": "both answer minority",
    "alike:majority": "both answer majority",
}


@dataclass(frozen=True, kw_only=True)
class MovedArm(Arm):
    """The first model, had its threshold been moved: the same maps, other errors; named as the contrast's column.

    Attributes:
        entries: The contrast's figures, by attribute.
    """

    entries: Mapping[str, Mapping[str, Any]]

    def rate(self, attribute: str, measure: str) -> Number:
        """Errors at the moved threshold; what no threshold changes is the first model's."""
        held = self.entries[attribute]["errors"].get(measure)
        if held is not None:
            return Number.read(held.get(self.name))
        return super().rate(attribute, measure) if measure in {"auroc", "ap"} else UNDEFINED

    def measure(self, attribute: str, column: str, group: str) -> Number:
        """Measures of the images whose answer the moved threshold leaves as it is."""
        held = self._column(self.entries[attribute]["measures"], column).get(group) or {}
        return Number.read(held.get(self.name))

    def overall(self, attributes: Sequence[str], measure: str, group: str = "") -> Number:
        """The mean over the attributes, without an interval."""
        return self._mean(attributes, measure, group)

    def family(self, name: str) -> None:
        """No tests were made at the moved threshold alone."""
        del name


@dataclass(frozen=True)
class Contrast:
    """A contrast's folder.

    Attributes:
        folder: Where it lies.
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
        """The most telling differences, in sentences."""
        return list(self.document.get("findings") or ())

    @cached_property
    def moved(self) -> MovedArm | None:
        """The first model with its threshold moved; None where no such threshold is known, or it is the audited one."""
        held = self.document.get("moved") or {}
        if held.get("reason") or not held.get("thresholds"):
            return None
        first, name = self.first, self.document["columns"][1]
        return MovedArm(name, first.audit, first.summary, entries=self.document["attributes"])

    @property
    def note(self) -> str:
        """Where the moved thresholds come from, or why there are none."""
        held = self.document.get("moved") or {}
        if held.get("reason"):
            return f"No column for a moved threshold: {held['reason']}."
        if held.get("from") == "card":
            return "Moved thresholds come from the model's card, where training puts those that are best on validation."
        return f"Moved thresholds come from {held['from']}." if held.get("from") else ""

    def sentences(self, attribute: str) -> Sequence[str]:
        """What was found of an attribute."""
        found: Sequence[str] = (self.document.get("sentences") or {}).get(attribute) or ()
        return found

    def differences(self, attribute: str) -> Table:
        """Paired differences of one attribute, first minus second."""
        entry = self.document["attributes"][attribute]
        names = (self.first.name, self.second.name)
        rows = []
        for rate in ERRORS:
            for pair, held in entry["error_differences"][rate].items():
                moved = pair.startswith(self.document["columns"][1])
                p = None if moved else self._corrected.get((attribute, rate, None))
                among = f"{rate.removesuffix('_error')} class" + (", threshold moved" if moved else "")
                rows.append(_difference("error", among, held, "percent", p))
        for measure, kind in MEASURES:
            column = BIAS_SHARE if measure == "bias_share" else f"{self.first.method}.{measure}"
            for group, among in AMONG.items():
                held = (entry["differences"].get(column) or {}).get(group)
                if held and held["difference"]["images"]:
                    p = self._corrected.get((attribute, measure, group))
                    rows.append(_difference(measure.replace("_", " "), among, held, kind, p))
        return Table(
            "Paired differences",
            f"{names[0]} less {names[1]}, on the same images. p is corrected by Holm over all attributes; "
            f"{words.NONE} is not tested. What no image has is left out.",
            ("Measure", "Among", "Images", "Difference", "p"),
            rows,
        )

    @cached_property
    def _corrected(self) -> dict[tuple[str, str, str | None], float | None]:
        """Holm's p by attribute, measure and group."""
        return {
            (test["attribute"], test["measure"], test.get("group")): test["holm"]
            for family in self.document.get("families") or ()
            for test in family["tests"]
        }

    def correlations(self) -> list[str]:
        """How imbalance in training goes with what majority answers look like, in sentences."""
        told = []
        held = self.document.get("correlation") or {}
        for measure, column in (("gain", f"{self.first.method}.gain"), ("bias share", BIAS_SHARE)):
            parts = [
                f"{words.plain(one['rho'])} [{words.plain(one['low'])} to {words.plain(one['high'])}] ({name})"
                for name, one in (held.get(column) or {}).items()
                if one.get("rho") is not None
            ]
            if parts:
                told.append(
                    f"Across attributes, the more lopsided the training labels, the {measure} of majority answers: "
                    f"Spearman's ρ {words.listed(parts)}."
                )
        return told

    def published(self) -> Table | None:
        """The source paper's figures beside these; None where they were not asked for."""
        held = self.document.get("published")
        if not held:
            return None
        rows = [_published(row) for row in held["rows"]]
        sizes = _sizes(held["rows"]) if held["graded"] else f"{held['reason'][:1].upper()}{held['reason'][1:]}."
        caption = f"{held['source']}. {_directions(held['rows'])} {sizes}"
        heads = ("Attribute", "Figure", "Paper, unbalanced", "Paper, balanced", "Here, unbalanced", "Here, balanced",
                 "Direction", "Size")  # fmt: skip
        return Table("Beside the source paper", caption, heads, rows)


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


def _difference(measure: str, among: str, held: Mapping[str, Any], kind: str, p: float | None) -> list[Cell]:
    number = Number.read(held["difference"])
    note = words.basis(number) or "undefined"
    text = words.points(number.value) if kind == "percent" else words.plain(number.value)
    return [
        Cell(measure, None),
        Cell(among, None),
        Cell(f"{number.images:,}", None, note=note),
        Cell(text, None, words.interval(number, kind), number.small, note),
        Cell(words.p_value(math.nan if p is None else p), None, note=str(held.get("test") or "p")),
    ]


def _directions(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many of the figures differ here as in the paper, and why the rest show no direction."""
    counted = Counter(_direction(row) for row in rows)
    rest = (
        ("overlapping", "the intervals found here overlap"),
        ("equal", "the paper's two are equal"),
        ("undefined", "one is undefined here"),
    )
    told = "".join(f"; in {counted[key]} {text}" for key, text in rest if counted[key])
    return (
        f"In {counted['same']} of {len(rows)} figures the models differ in the paper's direction, in "
        f"{counted['other']} in the other{told}."
    )


def _direction(row: Mapping[str, Any]) -> str:
    if row["direction"] != "not shown":
        return str(row["direction"])
    numbers = [Number.read(one) for one in row["ours"].values()]
    known = all(math.isfinite(end) for number in numbers for end in (number.low, number.high))
    return "overlapping" if known else "undefined"


def _sizes(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many figures agree in size, by model."""
    parts = []
    for model in ("unbalanced", "balanced"):
        known = [row["size"][model] for row in rows if row["size"][model] is not None]
        parts.append(f"{sum(known)} of {len(known)} ({model})")
    return f"The paper's figure lies in the interval found here in {words.listed(parts)}."


def _published(row: Mapping[str, Any]) -> list[Cell]:
    kind = "percent" if row["figure"] in {"fnr", "fpr"} else "number"
    size = row["size"]
    inside = [name for name, held in size.items() if held]
    told = "" if all(held is None for held in size.values()) else words.listed(inside) or "neither"
    cells = [Cell(row["attribute"], None), Cell(row["figure"].replace("_", " "), None)]
    for name in ("unbalanced", "balanced"):
        number = Number(float(row["published"][name]))
        cells.append(Cell(words.shown(number, kind), None, note="published"))
    for name in ("unbalanced", "balanced"):
        number = Number.read(row["ours"][name])
        note = words.basis(number) or "undefined"
        cells.append(Cell(words.shown(number, kind), None, words.interval(number, kind), number.small, note))
    return [*cells, Cell(_direction(row), None), Cell(told, None)]
