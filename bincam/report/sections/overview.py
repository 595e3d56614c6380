"""The overview: headline numbers, findings, figures, and the table of all numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.schema import MASKS
from bincam.report.figures.dumbbells import Row, pairs
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import Arm, minority_share
from bincam.report.reading.contrast import MovedArm
from bincam.report.sections import sentences, wording
from bincam.report.view_model import Cell, Column, Plot, TableRow, Tile
from bincam.stats.estimate import Estimate
from bincam.stats.families import undecided
from bincam.stats.formatting import DIFFERENCE, Kind, basis, counted, images, interval, percent, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Read = Callable[[Arm, str], tuple[Estimate, Estimate]]

COLUMNS = (
    Column("attribute", "Attribute", "", "text", "Name of the attribute, linked to its card."),
    Column("model", "Model", "", "text", "The audited model."),
    Column("minority", "Rarer", "Training", "text", "The rarer class: images with or without it."),
    Column("share", "Share", "Training", "percent", "Share of the rarer class among the {labels}."),
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
           "Support not located in the image, counted from the midpoint reference, minority predicted."),
    Column("bias_majority", "Majority", "Bias share", "percent",
           "Support not located in the image, counted from the midpoint reference, majority predicted."),
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
        reliable = {name: pair for name, pair in defined.items() if not (pair[0].small or pair[1].small)}
        return reliable or {name: pair for name, pair in defined.items() if not any(map(wording.few, pair))}


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
    "Share of the support for {explained} that is not located in the image, counted from {reference}, by predicted "
    "class.",
    bias_shares,
    (("bias_share", "predicted:minority"), ("bias_share", "predicted:majority")),
    "percent",
    "bias_share differs between predicted classes",
)


def tiles(models: Sequence[Arm], attributes: Sequence[str]) -> list[Tile]:
    """Make the headline numbers: means over attributes, per arm."""
    count = f"mean of {counted(len(attributes), 'attribute')}"
    rarer, other = wording.classes(models[0], attributes)
    predicted = wording.answers(models[0], attributes)[1].removeprefix("the ")
    result = []
    moved = next((arm for arm in models if isinstance(arm, MovedArm)), None)
    for label, comparison, place, about in (
        (f"Error, {rarer}", ERRORS, 0, count),
        (f"Error, {other}", ERRORS, 1, count),
        (f"Gain, {predicted} predicted", GAINS, 1, f"{count}; 0 is chance, 1 is all in the region"),
        (f"Bias share, {predicted} predicted", BIAS_SHARES, 1, f"{count}; support not located in the image"),
    ):
        note = about
        if comparison is BIAS_SHARES:
            audited = [arm for arm in models if arm is not moved]
            zero = " → ".join(wording.marked(_zero(arm, attributes)[place], "percent") for arm in audited)
            note += f", counted from {' → '.join(dict.fromkeys(map(wording.reference, audited)))}; {zero} without a "
            note += "reference (zero)"
        if moved is not None and comparison is ERRORS:
            note = (
                f"adjusted threshold: {wording.marked(comparison.means(moved, attributes)[place], 'percent')}; {about}"
            )
        means = [comparison.means(arm, attributes)[place] for arm in models if arm is not moved]
        ends = ["" if wording.few(mean) else interval(mean, comparison.kind) for mean in means]
        bracket = " → ".join(ends) if all(ends) else ""
        value = " → ".join(wording.marked(mean, comparison.kind) for mean in means)
        behind = " → ".join(dict.fromkeys(_basis_of_mean(mean, len(attributes)) for mean in means))
        result.append(Tile(label, value, bracket, note, behind))
    return result


def _basis_of_mean(mean: Estimate, attributes: int) -> str:
    """Write the images behind a mean over attributes: of the attribute that has most."""
    if not mean.defined:
        return "undefined"
    if mean.images == 1:
        return "of one image: no headline"
    if not mean.images:
        return ""
    if attributes == 1:
        return basis(mean)
    return f"at most {images(mean)}" + (", for some attributes too few to rely on" if mean.small else "")


def _zero(arm: Arm, attributes: Sequence[str]) -> tuple[Estimate, Estimate]:
    """Return the mean bias shares without a reference, minority first."""
    minority, majority = (
        arm.overall(attributes, "zero.bias_share", f"predicted:{name}") for name in ("minority", "majority")
    )
    return minority, majority


def _mean(mean: Estimate, attributes: Sequence[str], kind: Kind = "number") -> str:
    """Write a mean over attributes in a finding, with its interval and what it rests on."""
    behind = _basis_of_mean(mean, len(attributes))
    if wording.few(mean):
        return f"undefined ({behind})" if mean.images == 1 else "undefined"
    return " ".join(filter(None, (shown(mean, kind), interval(mean, kind), f"({behind})" if behind else "")))


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
    kind = next(comparison.kind for comparison in (ERRORS, GAINS, BIAS_SHARES) if comparison.family == name)
    missed = undecided(family["tests"], DIFFERENCE[kind])
    others = f"; of the others, {missed}" if missed and family["findings"] else f"; {missed}" if missed else ""
    return (
        f" {what} for {family['findings']} of {counted(family['size'], 'tested attribute')} (Holm-corrected){others}."
    )


def _error_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = ERRORS.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = ERRORS.means(arm, attributes)
    # The tests are one-sided, so they say nothing if the classes are exchanged.
    turned = any(arm.turned(name) for name in attributes)
    rarer, other = wording.classes(arm, attributes)
    tested = "" if turned else _tested(arm, ERRORS.family, f"The error of the {rarer} is significantly higher")
    name = max(pairs_of, key=lambda n: pairs_of[n][0].value - pairs_of[n][1].value)
    worst = pairs_of[name]
    return (
        f"{model} misclassifies {_mean(minority, attributes, 'percent')} of the {rarer} and "
        f"{_mean(majority, attributes, 'percent')} of the {other} on average.{tested} Largest difference: {name}, "
        f"{wording.headline(worst[0], 'percent')} against {wording.headline(worst[1], 'percent')}."
    )


def _gain_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = GAINS.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = GAINS.means(arm, attributes)
    tested = _tested(arm, GAINS.family, "The two differ significantly")
    rarer, other = wording.answers(arm, attributes)
    return (
        f"the mean gain of {model} in the expected region is {_mean(minority, attributes)} where it predicts {rarer} "
        f"and {_mean(majority, attributes)} where it predicts {other}.{tested}"
        f"{_chance([pair[1] for pair in pairs_of.values()], other)}"
    )


def _value(share: Estimate) -> str:
    """Write a share with its interval."""
    return " ".join(filter(None, (wording.marked(share, "percent"), interval(share, "percent"))))


def _chance(gains: Sequence[Estimate], predicted: str) -> str:
    """State for how many attributes the majority's gain is not above chance, of those that have an interval."""
    lows = [gain.low for gain in gains if math.isfinite(gain.low)]
    rest = len(gains) - len(lows)
    without = f"{counted(rest, 'attribute')} {'have' if rest > 1 else 'has'} no interval"
    if not lows:
        return f" Where it predicts {predicted}, {without}."
    return (
        f" Where it predicts {predicted}, the gain is not significantly above chance for "
        f"{sum(low <= 0 for low in lows)} of {counted(len(lows), 'attribute')}{f'; {without}' if rest else ''}."
    )


def _bias_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = BIAS_SHARES.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = BIAS_SHARES.means(arm, attributes)
    name = max(pairs_of, key=lambda n: pairs_of[n][1].value)
    tested = _tested(arm, BIAS_SHARES.family, "The two differ significantly")
    rarer, other = wording.answers(arm, attributes)
    zero = _zero(arm, attributes)
    without = f"without a reference (zero), the head's own constant is {_value(zero[1])} and {_value(zero[0])} of it"
    return (
        f"counted from {wording.reference(arm)}, {_mean(majority, attributes, 'percent')} of the support for "
        f"{sentences.explained(arm)} is not located in the image where {model} predicts {other}, and "
        f"{_mean(minority, attributes, 'percent')} where it predicts {rarer}; {without}.{tested} Highest: {name}, "
        f"{wording.headline(pairs_of[name][1], 'percent')}."
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
        reading = comparison.reading.format(
            explained=sentences.explained(arms[0]), reference=wording.reference(arms[0])
        )
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
        shares: By attribute, the minority's share of the counted labels; NaN where unknown.
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
    rarer, other = (name.removeprefix("the ") for name in _classes_of(arm, attributes, comparison))
    start = f"{label}: {rarer}" if named else f"{rarer[0].upper()}{rarer[1:]}"
    estimates = comparison.defined(arm, attributes)
    if not estimates:
        return f"{label}: undefined for every attribute."
    name, (first, second) = max(estimates.items(), key=lambda item: abs(item[1][0].value - item[1][1].value))
    minority, majority = (_mean(mean, attributes, comparison.kind) for mean in comparison.means(arm, attributes))
    return (
        f"{start} {minority}, {other} {majority} on average; largest difference: {name} "
        f"({wording.marked(first, comparison.kind)}, {wording.marked(second, comparison.kind)})."
    )


def _classes_of(arm: Arm, attributes: Sequence[str], comparison: Comparison) -> tuple[str, str]:
    if comparison is not ERRORS:
        return wording.answers(arm, attributes)
    rarer, other = wording.classes(arm, attributes)
    return rarer.removesuffix(" class"), other.removesuffix(" class")


def columns(arms: Sequence[Arm]) -> list[Column]:
    """List the table's columns, without those of masks that no audit has and, for one model, of its name."""
    masks = {mask for arm in arms for mask in arm.audit.masks}
    further = [
        Column(f"{key}_{name}", name.capitalize(), group, "number", f"{about}, {name} predicted.", further=True)
        for key, (group, about) in FURTHER.items()
        for name in ("minority", "majority")
    ]
    missing = tuple(f"{mask}_" for mask in MASKS if mask not in masks)
    labels = wording.labels_counted(arms[0], arms[0].audit.attributes)
    group = "Training" if labels == "training labels" else "Audited labels" if labels == "audited labels" else "Labels"
    return [
        replace(column, group=group, help=column.help.format(labels=labels)) if column.group == "Training" else column
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
    which = "equal" if arm.tied(attribute) else sentences.has(arm, attribute, True)
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
