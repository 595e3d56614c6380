"""The overview: headline numbers and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bincam.report.figures.audited.dumbbells import Row, pairs
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import Arm, minority_share
from bincam.report.reading.contrast import MovedArm
from bincam.report.sections.first_screen.comparisons import (
    BIAS_SHARES,
    ERRORS,
    GAINS,
    Comparison,
    basis_of_mean,
    mean_text,
    without_reference,
)
from bincam.report.sections.words import sentences, wording
from bincam.report.view.parts import Tile
from bincam.report.view_model import Plot
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tiles(models: Sequence[Arm], attributes: Sequence[str]) -> list[Tile]:
    """Make the headline numbers: means over attributes, per arm."""
    rarer, other = wording.classes(models[0], attributes)
    predicted = wording.answers(models[0], attributes)[1].removeprefix("the ")
    result = []
    moved = next((arm for arm in models if isinstance(arm, MovedArm)), None)
    for label, comparison, place, reading in (
        (f"Error, {rarer}", ERRORS, 0, ""),
        (f"Error, {other}", ERRORS, 1, ""),
        (f"Gain, {predicted} predicted", GAINS, 1, "; 0 is chance, 1 is all in the region"),
        (f"Bias share, {predicted} predicted", BIAS_SHARES, 1, "; support not located in the image"),
    ):
        # An adjusted threshold changes errors alone, and a ledger has none there.
        arms = [arm for arm in models if comparison is ERRORS or arm is not moved]
        same, all_means = (
            comparison.alike(arms, attributes, place), comparison.mean_alike(arms, attributes, place)
        )  # fmt: skip
        note = about = _count(len(same), len(attributes), len(models) > 1) + reading
        if comparison is BIAS_SHARES:
            audited = [arm for arm in models if arm is not moved]
            zero = " → ".join(wording.marked(without_reference(arm, attributes)[place], "percent") for arm in audited)
            note += f", counted from {' → '.join(dict.fromkeys(map(wording.reference, audited)))}; {zero} without a "
            note += "reference (zero)"
        if moved is not None and comparison is ERRORS:
            note = f"adjusted threshold: {wording.marked(all_means[arms.index(moved)], 'percent')}; {about}"
        means = [mean for arm, mean in zip(arms, all_means, strict=True) if arm is not moved]
        ends = ["" if wording.few(mean) else interval(mean, comparison.kind) for mean in means]
        bracket = " → ".join(ends) if all(ends) else ""
        value = " → ".join(wording.marked(mean, comparison.kind) for mean in means)
        behind = " → ".join(dict.fromkeys(basis_of_mean(mean, len(same)) for mean in means))
        result.append(Tile(label, value, bracket, note, behind, of_maps=comparison is GAINS))
    return result


def _count(same: int, all_of_them: int, several: bool) -> str:
    """State how many attributes a mean is over, and of how many, where a figure is undefined for some."""
    if same == all_of_them:
        return f"mean of {counted(same, 'attribute')}"
    return f"mean of the {same} of {counted(all_of_them, 'attribute')} that have it" + (" in each model" * several)


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
        result.append(Plot(comparison.title, svg, reading, finding, of_maps=comparison is GAINS))
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
    means = comparison.means(arm, attributes)
    if not any(mean.defined for mean in means):
        return f"{label}: undefined for every attribute." if named else "Undefined for every attribute."
    minority, majority = (mean_text(mean, attributes, comparison.kind) for mean in means)
    if not estimates:
        return f"{start} {minority}, {other} {majority} on average; no attribute has enough images of both to compare."
    name, (first, second) = max(estimates.items(), key=lambda item: abs(item[1][0].value - item[1][1].value))
    return (
        f"{start} {minority}, {other} {majority} on average; largest difference: {name} "
        f"({wording.marked(first, comparison.kind)}, {wording.marked(second, comparison.kind)})."
    )


def _classes_of(arm: Arm, attributes: Sequence[str], comparison: Comparison) -> tuple[str, str]:
    if comparison is not ERRORS:
        return wording.answers(arm, attributes)
    rarer, other = wording.classes(arm, attributes)
    return rarer.removesuffix(" class"), other.removesuffix(" class")
