"""The overview: headline numbers, findings, figures, and the table of all numbers."""

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
from bincam.stats.formatting import Kind, basis, counted, interval, percent, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Read = Callable[[Arm, str], tuple[Estimate, Estimate]]

COLUMNS = (
    Column("attribute", "Attribute", "", "text", "Name of the attribute, linked to its card."),
    Column("model", "Model", "", "text", "The audited model."),
    Column("minority", "Rarer", "Training", "text", "The minority class: images with or without it."),
    Column("share", "Share", "Training", "percent", "Share of the minority class among the training labels."),
    Column("minority_error", "Minority", "Error", "percent", "Share of the minority class that is misclassified."),
    Column("majority_error", "Majority", "Error", "percent", "Share of the majority class that is misclassified."),
    Column("auroc", "AUROC", "Error", "number", "How well the logits rank the classes, at any threshold."),
    Column("gain_minority", "Minority", "Gain", "number", "Chance-corrected energy, minority predicted."),
    Column("gain_majority", "Majority", "Gain", "number", "Chance-corrected energy, majority predicted."),
    Column("object_gain", "Object", "Gain, per-image masks", "number", "Gain against per-image masks of the object."),
    Column("influence_gain", "Influence", "Gain, per-image masks", "number",
           "Gain against per-image masks of all pixels that the attribute changes."),
    Column("empty_majority", "Majority", "No positive evidence", "percent",
           "Share of the maps without positive evidence, majority predicted."),
    Column("bias_minority", "Minority", "Bias share", "percent",
           "Support not located in the image, minority predicted."),
    Column("bias_majority", "Majority", "Bias share", "percent",
           "Support not located in the image, majority predicted."),
)  # fmt: skip
FURTHER = {
    "energy": ("Energy", "Share of the evidence in the expected region"),
    "lift": ("Lift", "Energy divided by the region's share of the area"),
    "object_gain": ("Object gain", "Gain against per-image masks of the object"),
    "object_energy": ("Object energy", "Share of the evidence in the object's mask"),
    "influence_gain": ("Influence gain", "Gain against per-image masks of all pixels that the attribute changes"),
    "influence_energy": ("Influence energy", "Share of the evidence in that mask"),
}
"""Measures of the primary method by predicted class that are shown on request."""


def errors(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Return the errors of the minority and of the majority class."""
    return arm.rate(attribute, "minority_error"), arm.rate(attribute, "majority_error")


def gains(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Return the gains where the minority and where the majority class is predicted."""
    return by_answer(arm, attribute, "gain")


def by_answer(arm: Arm, attribute: str, measure: str) -> tuple[Estimate, Estimate]:
    """Return a measure where the minority and where the majority class is predicted."""
    minority, majority = (arm.measure(attribute, measure, f"predicted:{name}") for name in ("minority", "majority"))
    return minority, majority


def bias_shares(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Return the bias shares where the minority and where the majority class is predicted."""
    return by_answer(arm, attribute, "bias_share")


@dataclass(frozen=True)
class Comparison:
    """A measure that the overview compares between both classes.

    Attributes:
        title: Title of the figure.
        axis: Label of its axis.
        reading: How to read it; ``{explained}`` stands for the explained side.
        read: Function that returns the estimates of an attribute, minority first.
        overall: Measure and group of the means over attributes, minority first.
        kind: ``percent`` or ``number``.
        family: Name of the tests that compare the classes.
    """

    title: str
    axis: str
    reading: str
    read: Read
    overall: tuple[tuple[str, str], tuple[str, str]]
    kind: Kind
    family: str

    def means(self, arm: Arm, attributes: Sequence[str]) -> tuple[Estimate, Estimate]:
        """Return the means over attributes, minority first."""
        first, second = (arm.overall(attributes, measure, group) for measure, group in self.overall)
        return first, second

    def defined(self, arm: Arm, attributes: Sequence[str]) -> dict[str, tuple[Estimate, Estimate]]:
        """Return the attributes defined for both classes; those of few images only where there are no others."""
        estimates = {name: self.read(arm, name) for name in attributes}
        defined = {name: pair for name, pair in estimates.items() if pair[0].defined and pair[1].defined}
        return {name: pair for name, pair in defined.items() if not (pair[0].small or pair[1].small)} or defined


ERRORS = Comparison(
    "Error by class",
    "error [%]",
    "Share of each class that is misclassified.",
    errors,
    (("minority_error", ""), ("majority_error", "")),
    "percent",
    "minority error exceeds majority error",
)
GAINS = Comparison(
    "Evidence in the expected region (gain)",
    "gain",
    "Chance-corrected energy of the evidence for {explained} in the expected region, by predicted class: 0 (dashed) is "
    "chance, 1 is all evidence inside.",
    gains,
    (("gain", "predicted:minority"), ("gain", "predicted:majority")),
    "number",
    "gain differs between predicted classes",
)
BIAS_SHARES = Comparison(
    "Support not located in the image (bias share)",
    "bias share [%]",
    "Share of the support for {explained} that is not located in the image, against the midpoint reference, by "
    "predicted class.",
    bias_shares,
    (("bias_share", "predicted:minority"), ("bias_share", "predicted:majority")),
    "percent",
    "bias_share differs between predicted classes",
)


def tiles(models: Sequence[Arm], attributes: Sequence[str]) -> list[Tile]:
    """Make the headline numbers: means over attributes, per arm."""
    count = f"mean of {counted(len(attributes), 'attribute')}"
    result = []
    moved = next((arm for arm in models if isinstance(arm, MovedArm)), None)
    for label, comparison, place, about in (
        ("Error, minority class", ERRORS, 0, count),
        ("Error, majority class", ERRORS, 1, count),
        ("Gain, majority predicted", GAINS, 1, "0 is chance, 1 is all in the region"),
        ("Bias share, majority predicted", BIAS_SHARES, 1, "support not located in the image"),
    ):
        note = about
        if moved is not None and comparison is ERRORS:
            note = f"adjusted threshold: {shown(comparison.means(moved, attributes)[place], 'percent')}; {about}"
        means = [comparison.means(arm, attributes)[place] for arm in models if arm is not moved]
        ends = [interval(mean, comparison.kind) for mean in means]
        bracket = " → ".join(ends) if all(ends) else ""
        result.append(Tile(label, " → ".join(shown(mean, comparison.kind) for mean in means), bracket, note))
    return result


def findings(arms: Sequence[Arm], attributes: Sequence[str]) -> list[str]:
    """Summarise the overview in one statement per measure and arm."""
    statements = [
        summarise(arm, attributes, arm.phrase if len(arms) > 1 else "the model")
        for arm in arms
        for summarise in (_error_finding, _gain_finding, _bias_finding)
    ]
    return [text[0].upper() + text[1:] for text in statements if text]


def _tested(arm: Arm, name: str, what: str) -> str:
    """State for how many attributes a family of tests is significant; empty where nothing was tested."""
    family = arm.family(name)
    if not family or not family["size"]:
        return ""
    return f" {what} for {family['findings']} of {counted(family['size'], 'tested attribute')} (Holm-corrected)."


def _error_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = ERRORS.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = ERRORS.means(arm, attributes)
    # The tests are one-sided, so they say nothing if the classes are exchanged.
    turned = any(arm.turned(name) for name in attributes)
    tested = "" if turned else _tested(arm, ERRORS.family, "The error of the minority class is significantly higher")
    name = max(pairs_of, key=lambda n: pairs_of[n][0].value - pairs_of[n][1].value)
    worst = pairs_of[name]
    return (
        f"{model} misclassifies {shown(minority, 'percent')} of the minority class and {shown(majority, 'percent')} of "
        f"the majority class on average.{tested} Largest difference: {name}, {shown(worst[0], 'percent')} against "
        f"{shown(worst[1], 'percent')}."
    )


def _gain_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = GAINS.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = GAINS.means(arm, attributes)
    tested = _tested(arm, GAINS.family, "The two differ significantly")
    return (
        f"the mean gain of {model} in the expected region is {shown(minority)} where it predicts the minority and "
        f"{shown(majority)} where it predicts the majority.{tested}{_chance([pair[1] for pair in pairs_of.values()])}"
    )


def _chance(gains: Sequence[Estimate]) -> str:
    """State for how many attributes the majority's gain is not above chance, of those that have an interval."""
    lows = [gain.low for gain in gains if math.isfinite(gain.low)]
    rest = len(gains) - len(lows)
    without = f"{counted(rest, 'attribute')} {'have' if rest > 1 else 'has'} no interval"
    if not lows:
        return f" Where it predicts the majority, {without}."
    return (
        f" Where it predicts the majority, the gain is not significantly above chance for "
        f"{sum(low <= 0 for low in lows)} of {counted(len(lows), 'attribute')}{f'; {without}' if rest else ''}."
    )


def _bias_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = BIAS_SHARES.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = BIAS_SHARES.means(arm, attributes)
    name = max(pairs_of, key=lambda n: pairs_of[n][1].value)
    tested = _tested(arm, BIAS_SHARES.family, "The two differ significantly")
    return (
        f"where {model} predicts the majority, {shown(majority, 'percent')} of the support for "
        f"{sentences.explained(arm)} is not located in the image (minority: {shown(minority, 'percent')}).{tested} "
        f"Highest: {name}, {shown(pairs_of[name][1], 'percent')}."
    )


def plots(models: Sequence[Arm], attributes: Sequence[str]) -> list[Plot]:
    """Draw error, gain and bias share of both classes; a measure that is undefined throughout is omitted."""
    result = []
    for comparison in (ERRORS, GAINS, BIAS_SHARES):
        # An adjusted threshold changes errors, but no map, only the answer that a map belongs to.
        arms = models if comparison is ERRORS else [arm for arm in models if not isinstance(arm, MovedArm)]
        values = {name: [comparison.read(arm, name) for arm in arms] for name in attributes}
        if not any(n.defined for row in values.values() for pair in row for n in pair):
            continue
        finding = " ".join(_in_words(arm, attributes, comparison, len(arms) > 1) for arm in arms)
        shares = [minority_share(arms[0], name) for name in attributes]
        figure = dumbbells(comparison, [arm.label for arm in arms], values, shares)
        reading = comparison.reading.format(explained=sentences.explained(arms[0]))
        svg = inline(figure, f"{comparison.title}. {reading} {finding} The table below has all numbers.")
        result.append(Plot(comparison.title, svg, reading, finding))
    return result


def dumbbells(
    comparison: Comparison,
    models: Sequence[str],
    values: Mapping[str, Sequence[tuple[Estimate, Estimate]]],
    shares: Sequence[float],
) -> Figure:
    """Draw both classes of every attribute.

    Args:
        comparison: The compared figures.
        models: Names of the models, a column each.
        values: By attribute, the numbers of the minority and of the majority class for each model.
        shares: By attribute, the minority's share of the training labels; NaN where unknown.
    """
    in_percent = comparison.kind == "percent"
    factor = 100.0 if in_percent else 1.0
    rows = [
        Row(name, share, tuple((a.scaled(factor), b.scaled(factor)) for a, b in numbers))
        for (name, numbers), share in zip(values.items(), shares, strict=True)
    ]
    limits = (0.0, 100.0) if in_percent else None
    return pairs(rows, models, comparison.axis, zero=None if in_percent else 0.0, limits=limits)


def _in_words(arm: Arm, attributes: Sequence[str], comparison: Comparison, named: bool) -> str:
    """Describe the figure: means and the largest difference."""
    label = f"{arm.label[0].upper()}{arm.label[1:]}" if arm.role else arm.label
    start = f"{label}: minority" if named else "Minority"
    estimates = comparison.defined(arm, attributes)
    if not estimates:
        return f"{label}: undefined for every attribute."
    name, (first, second) = max(estimates.items(), key=lambda item: abs(item[1][0].value - item[1][1].value))
    minority, majority = (shown(mean, comparison.kind) for mean in comparison.means(arm, attributes))
    return (
        f"{start} {minority}, majority {majority} on average; largest difference: {name} "
        f"({shown(first, comparison.kind)}, {shown(second, comparison.kind)})."
    )


def columns(arms: Sequence[Arm]) -> list[Column]:
    """List the table's columns, without those of masks that no audit has and, for one model, of its name."""
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
    """Make the rows of the table, one per attribute and arm."""
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
    which = sentences.has(arm, attribute, True)
    share = minority_share(arm, attribute)
    cells: list[Cell] = []
    data: dict[str, Any] = {}
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
            text = {"attribute": attribute, "model": arm.label, "minority": which}[column.key]
            cells.append(Cell(text, text, link=f"#{anchor}" if column.key == "attribute" else ""))
            data[column.key] = text
    return TableRow(arm.key or arm.name, attribute, cells, data)


def _unformatted(key: str, estimate: Estimate) -> dict[str, Any]:
    return {
        key: _rounded(estimate.value),
        f"{key}_low": _rounded(estimate.low),
        f"{key}_high": _rounded(estimate.high),
        f"{key}_images": estimate.images,
        f"{key}_status": estimate.status,
    }


def _rounded(value: float) -> float | None:
    """Round to six significant digits, far below the width of any interval; None for NaN, which JSON lacks."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
