"""The report's first half: headline numbers, findings, overview figures, the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.schema import MASKS
from bincam.report.figures.dumbbells import Row, pairs
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import Arm, minority_share
from bincam.report.reading.contrast import MovedArm
from bincam.report.sections import sentences
from bincam.report.view_model import Cell, Column, Plot, TableRow, Tile
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, basis, interval, percent, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Read = Callable[[Arm, str], tuple[Estimate, Estimate]]

COLUMNS = (
    Column("attribute", "Attribute", "", "text", "Name of the attribute; leads to its card."),
    Column("model", "Model", "", "text", "Which of the audited models."),
    Column("minority", "Rarer", "Training", "text", "Whether images with or without the attribute were rarer."),
    Column("share", "Share", "Training", "percent", "Share of the rarer class among the training labels."),
    Column("minority_error", "Minority", "Error", "percent", "Share of the rarer class that is misclassified."),
    Column("majority_error", "Majority", "Error", "percent", "Share of the more frequent class that is misclassified."),
    Column("auroc", "AUROC", "Error", "number", "How well the logits order the classes, whatever the threshold."),
    Column("gain_minority", "Minority", "Gain", "number", "Chance-corrected energy, rarer class predicted."),
    Column("gain_majority", "Majority", "Gain", "number", "Chance-corrected energy, the other predicted."),
    Column("object_gain", "Object", "Gain, exact masks", "number", "Gain against a mask of the object in each image."),
    Column("influence_gain", "Influence", "Gain, exact masks", "number",
           "Gain against a mask, in each image, of all that the attribute changes."),
    Column("empty_majority", "Majority", "Empty maps", "percent", "Maps of majority answers that show nothing."),
    Column("bias_minority", "Minority", "Bias share", "percent", "Support without a place, minority predicted."),
    Column("bias_majority", "Majority", "Bias share", "percent", "Support without a place, majority predicted."),
)  # fmt: skip
FURTHER = {
    "energy": ("Energy", "Share of the evidence within the expected region"),
    "lift": ("Lift", "Energy by the region's share of the area"),
    "object_gain": ("Object gain", "Gain against a mask of the object in each image"),
    "object_energy": ("Object energy", "Share of the evidence within the object's mask"),
    "influence_gain": ("Influence gain", "Gain against a mask of all that the attribute changes"),
    "influence_energy": ("Influence energy", "Share of the evidence within that mask"),
}
"""Measures of the primary method by predicted class that are shown on demand."""


def errors(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Error of the minority and of the majority class."""
    return arm.rate(attribute, "minority_error"), arm.rate(attribute, "majority_error")


def gains(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Gain where the minority and where the majority class is predicted."""
    return by_answer(arm, attribute, "gain")


def by_answer(arm: Arm, attribute: str, measure: str) -> tuple[Estimate, Estimate]:
    """A measure where the minority and where the majority class is predicted."""
    minority, majority = (arm.measure(attribute, measure, f"predicted:{name}") for name in ("minority", "majority"))
    return minority, majority


def bias_shares(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Bias share where the minority and where the majority class is predicted."""
    return by_answer(arm, attribute, "bias_share")


@dataclass(frozen=True)
class Asked:
    """A question that the overview puts to both classes.

    Attributes:
        title: Of the figure.
        axis: Label of its axis.
        reading: How to read it, with a place for what is explained.
        read: The numbers of an attribute.
        overall: Their means over the attributes: measure and group of either class.
        kind: ``percent`` or ``number``.
        family: The tests that compare the classes.
    """

    title: str
    axis: str
    reading: str
    read: Read
    overall: tuple[tuple[str, str], tuple[str, str]]
    kind: Kind
    family: str

    def means(self, arm: Arm, attributes: Sequence[str]) -> tuple[Estimate, Estimate]:
        """Means over the attributes, of either class."""
        first, second = (arm.overall(attributes, measure, group) for measure, group in self.overall)
        return first, second

    def defined(self, arm: Arm, attributes: Sequence[str]) -> dict[str, tuple[Estimate, Estimate]]:
        """The attributes for which both classes have a number; those of few images only where there are no others."""
        held = {name: self.read(arm, name) for name in attributes}
        known = {name: pair for name, pair in held.items() if pair[0].defined and pair[1].defined}
        return {name: pair for name, pair in known.items() if not (pair[0].small or pair[1].small)} or known


ERRORS = Asked(
    "Who is misclassified",
    "error [%]",
    "Share of each class that is got wrong.",
    errors,
    (("minority_error", ""), ("majority_error", "")),
    "percent",
    "minority error exceeds majority error",
)
GAINS = Asked(
    "Where it looks",
    "gain",
    "How much of the evidence for {explained} lies in the expected region: 0 (dashed) is chance, 1 is all of it. "
    "By predicted class.",
    gains,
    (("gain", "predicted:minority"), ("gain", "predicted:majority")),
    "number",
    "gain differs between predicted classes",
)
BIAS_SHARES = Asked(
    "How much it decides without looking",
    "bias share [%]",
    "Share of the support for {explained} that no place in the image accounts for, against the midpoint "
    "reference. By predicted class.",
    bias_shares,
    (("bias_share", "predicted:minority"), ("bias_share", "predicted:majority")),
    "percent",
    "bias_share differs between predicted classes",
)


def tiles(models: Sequence[Arm], attributes: Sequence[str]) -> list[Tile]:
    """Headline numbers: means over attributes, per arm."""
    count = f"mean of {len(attributes)} attribute{'s' * (len(attributes) != 1)}"
    result = []
    moved = next((arm for arm in models if isinstance(arm, MovedArm)), None)
    for label, asked, place, about in (
        ("Error, minority class", ERRORS, 0, count),
        ("Error, majority class", ERRORS, 1, count),
        ("Gain, majority predicted", GAINS, 1, "0 is chance, 1 all inside the region"),
        ("Bias share, majority predicted", BIAS_SHARES, 1, "support that has no place"),
    ):
        note = about
        if moved is not None and asked is ERRORS:
            note = f"threshold alone: {shown(asked.means(moved, attributes)[place], 'percent')}; {about}"
        means = [asked.means(arm, attributes)[place] for arm in models if arm is not moved]
        ends = [interval(mean, asked.kind) for mean in means]
        bracket = " → ".join(ends) if all(ends) else ""
        result.append(Tile(label, " → ".join(shown(mean, asked.kind) for mean in means), bracket, note))
    return result


def findings(arms: Sequence[Arm], attributes: Sequence[str]) -> list[str]:
    """What the overview comes to, one sentence per question and arm."""
    told = [
        tell(arm, attributes, f"the {arm.name} model" if len(arms) > 1 else "the model")
        for arm in arms
        for tell in (_error_finding, _gain_finding, _bias_finding)
    ]
    return [text[0].upper() + text[1:] for text in told if text]


def _tested(arm: Arm, name: str, what: str) -> str:
    """How many findings a family of tests leaves, in a sentence; empty where nothing was tested."""
    family = arm.family(name)
    if not family or not family["size"]:
        return ""
    return f" {what} in {family['findings']} of {family['size']} attributes (tests corrected by Holm)."


def _error_finding(arm: Arm, attributes: Sequence[str], who: str) -> str:
    held = ERRORS.defined(arm, attributes)
    if not held:
        return ""
    minority, majority = ERRORS.means(arm, attributes)
    # The tests are one-sided: of another class they say nothing.
    turned = any(arm.turned(name) for name in attributes)
    tested = "" if turned else _tested(arm, ERRORS.family, "The minority fares worse")
    name = max(held, key=lambda n: held[n][0].value - held[n][1].value)
    worst = held[name]
    return (
        f"{who} misclassifies {shown(minority, 'percent')} of the minority class "
        f"and {shown(majority, 'percent')} "
        f"of the majority class on average.{tested} Widest apart: {name}, "
        f"{shown(worst[0], 'percent')} against {shown(worst[1], 'percent')}."
    )


def _gain_finding(arm: Arm, attributes: Sequence[str], who: str) -> str:
    held = GAINS.defined(arm, attributes)
    if not held:
        return ""
    minority, majority = GAINS.means(arm, attributes)
    return (
        f"{who} looks into the expected region with a mean gain of {shown(minority)} where it "
        f"predicts the "
        f"minority and {shown(majority)} where it predicts the majority."
        f"{_tested(arm, GAINS.family, 'The two differ')}{_chance([pair[1] for pair in held.values()])}"
    )


def _chance(gains: Sequence[Estimate]) -> str:
    """In how many attributes the majority's gain is not above chance, of those that have an interval."""
    known = [gain.low for gain in gains if math.isfinite(gain.low)]
    rest = len(gains) - len(known)
    unknown = f"{rest} attribute{'s have' if rest > 1 else ' has'} no interval of it"
    if not known:
        return f" Where it predicts the majority, {unknown}."
    return (
        f" Where it predicts the majority, the gain is not above chance in {sum(low <= 0 for low in known)} of "
        f"{len(known)} attributes{f'; {unknown}' if rest else ''}."
    )


def _bias_finding(arm: Arm, attributes: Sequence[str], who: str) -> str:
    held = BIAS_SHARES.defined(arm, attributes)
    if not held:
        return ""
    minority, majority = BIAS_SHARES.means(arm, attributes)
    name = max(held, key=lambda n: held[n][1].value)
    return (
        f"where {who} predicts the majority, {shown(majority, 'percent')} of what supports "
        f"{sentences.explained(arm)} has no place in the image (minority: "
        f"{shown(minority, 'percent')}).{_tested(arm, BIAS_SHARES.family, 'The two differ')} Highest: "
        f"{name}, {shown(held[name][1], 'percent')}."
    )


def plots(models: Sequence[Arm], attributes: Sequence[str]) -> list[Plot]:
    """Error, gain and bias share of both classes, every attribute a row; what is undefined throughout is left out."""
    result = []
    for asked in (ERRORS, GAINS, BIAS_SHARES):
        # A moved threshold changes errors; no map changes, only which answer it belongs to.
        arms = models if asked is ERRORS else [arm for arm in models if not isinstance(arm, MovedArm)]
        values = {name: [asked.read(arm, name) for arm in arms] for name in attributes}
        if not any(n.defined for row in values.values() for pair in row for n in pair):
            continue
        finding = " ".join(_in_words(arm, attributes, asked, len(arms) > 1) for arm in arms)
        shares = [minority_share(arms[0], name) for name in attributes]
        figure = dumbbells(asked, [arm.name for arm in arms], values, shares)
        reading = asked.reading.format(explained=sentences.explained(arms[0]))
        svg = inline(figure, f"{asked.title}. {reading} {finding} All numbers are in the table below.")
        result.append(Plot(asked.title, svg, reading, finding))
    return result


def dumbbells(
    asked: Asked,
    models: Sequence[str],
    values: Mapping[str, Sequence[tuple[Estimate, Estimate]]],
    shares: Sequence[float],
) -> Figure:
    """Draw both classes of every attribute.

    Args:
        asked: The question.
        models: Names of the models, a column each.
        values: By attribute, the numbers of the minority and of the majority class for each model.
        shares: By attribute, the minority's share of the training labels; NaN where unknown.
    """
    in_percent = asked.kind == "percent"
    factor = 100.0 if in_percent else 1.0
    rows = [
        Row(name, share, tuple((a.scaled(factor), b.scaled(factor)) for a, b in numbers))
        for (name, numbers), share in zip(values.items(), shares, strict=True)
    ]
    limits = (0.0, 100.0) if in_percent else None
    return pairs(rows, models, asked.axis, zero=None if in_percent else 0.0, limits=limits)


def _in_words(arm: Arm, attributes: Sequence[str], asked: Asked, named: bool) -> str:
    """The figure's text alternative: means and the widest difference."""
    who = f"{arm.name}: " if named else ""
    held = asked.defined(arm, attributes)
    if not held:
        return f"{who}undefined for every attribute."
    name, (first, second) = max(held.items(), key=lambda item: abs(item[1][0].value - item[1][1].value))
    minority, majority = (shown(mean, asked.kind) for mean in asked.means(arm, attributes))
    return (
        f"{who}minority {minority}, majority {majority} on average; widest apart {name} "
        f"({shown(first, asked.kind)}, {shown(second, asked.kind)})."
    )


def columns(arms: Sequence[Arm]) -> list[Column]:
    """The table's columns; a single model needs none for its name, and masks that no audit has need none either."""
    masks = {mask for arm in arms for mask in arm.audit.masks}
    further = [
        Column(f"{key}_{name}", name.capitalize(), group, "number", f"{about}, {name} predicted.", further=True)
        for key, (group, about) in FURTHER.items()
        for name in ("minority", "majority")
    ]
    missing = tuple(f"{mask}_" for mask in MASKS if mask not in masks)
    return [
        column
        for column in (*COLUMNS, *further)
        if (column.key != "model" or len(arms) > 1) and not column.key.startswith(missing)
    ]


def rows(arms: Sequence[Arm], attributes: Sequence[str], anchors: Mapping[str, str]) -> list[TableRow]:
    """A row per attribute and arm."""
    columns_shown = columns(arms)
    return [_row(arm, name, columns_shown, anchors[name]) for name in attributes for arm in arms]


def _row(arm: Arm, attribute: str, columns_shown: Sequence[Column], anchor: str) -> TableRow:
    estimates: dict[str, Estimate] = {
        "minority_error": arm.rate(attribute, "minority_error"),
        "majority_error": arm.rate(attribute, "majority_error"),
        "auroc": arm.rate(attribute, "auroc"),
        "empty_majority": arm.measure(attribute, "empty", "predicted:majority"),
    }
    estimates |= {f"{mask}_gain": arm.measure(attribute, f"{mask}_gain", "all") for mask in MASKS}
    for key in FURTHER:
        estimates[f"{key}_minority"], estimates[f"{key}_majority"] = by_answer(arm, attribute, key)
    estimates["gain_minority"], estimates["gain_majority"] = gains(arm, attribute)
    estimates["bias_minority"], estimates["bias_majority"] = bias_shares(arm, attribute)
    rarer = sentences.has(arm, attribute, True)
    share = minority_share(arm, attribute)
    cells, data = [], dict[str, Any]()
    for column in columns_shown:
        if column.key in estimates:
            estimate = estimates[column.key]
            kind: Kind = "percent" if column.kind == "percent" else "number"
            cells.append(
                Cell(
                    shown(estimate, kind), _rounded(estimate.value), interval(estimate, kind), estimate.small,
                    basis(estimate) or "undefined",
                )
            )  # fmt: skip
            data |= _unformatted(column.key, estimate)
        elif column.key == "share":
            cells.append(Cell(percent(share), _rounded(share)))
            data["share"] = _rounded(share)
        else:
            text = {"attribute": attribute, "model": arm.name, "minority": rarer}[column.key]
            cells.append(Cell(text, text, link=f"#{anchor}" if column.key == "attribute" else ""))
            data[column.key] = text
    return TableRow(arm.name, attribute, cells, data)


def _unformatted(key: str, estimate: Estimate) -> dict[str, Any]:
    return {
        key: _rounded(estimate.value),
        f"{key}_low": _rounded(estimate.low),
        f"{key}_high": _rounded(estimate.high),
        f"{key}_images": estimate.images,
        f"{key}_status": estimate.status,
    }


def _rounded(value: float) -> float | None:
    """Six significant digits, far below any interval's width; None for NaN, which JSON has not."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
