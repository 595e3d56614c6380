"""The report's first half: headline numbers, findings, overview figures, the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bincam.report import words
from bincam.report.arms import Arm, Number, minority_share
from bincam.report.audit_figures import Row, pairs
from bincam.report.sections import Cell, Column, Plot, TableRow, Tile
from bincam.report.theme import inline

Read = Callable[[Arm, str], tuple[Number, Number]]

COLUMNS = (
    Column("attribute", "Attribute", "", "text", "Name of the attribute; leads to its card."),
    Column("model", "Model", "", "text", "Which of the audited models."),
    Column("minority", "Rarer", "Training", "text", "Whether images with or without the attribute were rarer."),
    Column("share", "Share", "Training", "percent", "Share of the rarer class among the training labels."),
    Column("minority_error", "Minority", "Error", "percent", "Share of the rarer class that is misjudged."),
    Column("majority_error", "Majority", "Error", "percent", "Share of the more frequent class that is misjudged."),
    Column("auroc", "AUROC", "Error", "number", "How well the logits order the classes, whatever the threshold."),
    Column("gain_minority", "Minority", "Gain", "number", "Chance-corrected energy, rarer class predicted."),
    Column("gain_majority", "Majority", "Gain", "number", "Chance-corrected energy, the other predicted."),
    Column("empty_majority", "Majority", "Empty maps", "percent", "Maps of majority answers that show nothing."),
    Column("bias_minority", "Minority", "Bias share", "percent", "Support without a place, minority predicted."),
    Column("bias_majority", "Majority", "Bias share", "percent", "Support without a place, majority predicted."),
)  # fmt: skip


def errors(arm: Arm, attribute: str) -> tuple[Number, Number]:
    """Error of the minority and of the majority class."""
    return arm.rate(attribute, "minority_error"), arm.rate(attribute, "majority_error")


def gains(arm: Arm, attribute: str) -> tuple[Number, Number]:
    """Gain where the minority and where the majority class is predicted."""
    minority, majority = (arm.measure(attribute, "gain", f"predicted:{name}") for name in ("minority", "majority"))
    return minority, majority


def bias_shares(arm: Arm, attribute: str) -> tuple[Number, Number]:
    """Bias share where the minority and where the majority class is predicted."""
    minority, majority = (
        arm.measure(attribute, "bias_share", f"predicted:{name}") for name in ("minority", "majority")
    )
    return minority, majority


def mean(arm: Arm, attributes: Sequence[str], read: Read) -> tuple[float, float]:
    """Means over the attributes where both numbers are defined; NaN without any."""
    held = [(a.value, b.value) for a, b in (read(arm, name) for name in attributes) if a.defined and b.defined]
    if not held:
        return math.nan, math.nan
    first, second = np.mean(held, axis=0)
    return float(first), float(second)


def tiles(arms: Sequence[Arm], attributes: Sequence[str]) -> list[Tile]:
    """Headline numbers: means over attributes, per arm."""

    def joined(read: Read, place: int, form: Callable[[float], str]) -> str:
        return " → ".join(form(mean(arm, attributes, read)[place]) for arm in arms)

    note = f"mean of {len(attributes)} attribute{'s' * (len(attributes) != 1)}"
    return [
        Tile("Error, minority class", joined(errors, 0, words.percent), note),
        Tile("Error, majority class", joined(errors, 1, words.percent), note),
        Tile("Gain, majority predicted", joined(gains, 1, words.plain), "0 is chance, 1 is all inside the region"),
        Tile("Bias share, majority predicted", joined(bias_shares, 1, words.percent), "support that has no place"),
    ]


def findings(arms: Sequence[Arm], attributes: Sequence[str]) -> list[str]:
    """What the overview comes to, one sentence per question and arm."""
    result = []
    for arm in arms:
        who = f"The {arm.name} model" if len(arms) > 1 else "The model"
        result += [
            text
            for text in (
                _error_finding(arm, attributes, who),
                _gain_finding(arm, attributes, who),
                _bias_finding(arm, attributes, who),
            )
            if text
        ]
    return result


def _error_finding(arm: Arm, attributes: Sequence[str], who: str) -> str:
    held = {n: p for n in attributes if (p := errors(arm, n))[0].defined and p[1].defined}
    if not held:
        return ""
    minority, majority = mean(arm, attributes, errors)
    apart = [n for n, (a, b) in held.items() if a.low > b.high]
    name = max(held, key=lambda n: held[n][0].value - held[n][1].value)
    worst = held[name]
    return (
        f"{who} misjudges {words.percent(minority)} of the minority class and {words.percent(majority)} of the "
        f"majority class (means). For {len(apart)} of {len(held)} attributes the minority's whole interval lies above "
        f"the majority's. Widest apart: {name}, {words.percent(worst[0].value)} against "
        f"{words.percent(worst[1].value)}."
    )


def _gain_finding(arm: Arm, attributes: Sequence[str], who: str) -> str:
    held = {n: p for n in attributes if (p := gains(arm, n))[0].defined and p[1].defined}
    if not held:
        return ""
    minority, majority = mean(arm, attributes, gains)
    less = [n for n, (a, b) in held.items() if b.high < a.low]
    chance = [n for n, (_, b) in held.items() if b.low <= 0]
    return (
        f"{who} looks into the expected region with a mean gain of {words.plain(minority)} where it predicts the "
        f"minority and {words.plain(majority)} where it predicts the majority. In {len(less)} of {len(held)} "
        "attributes the majority's interval lies wholly below; "
        f"in {len(chance)} the majority's gain is no better than chance."
    )


def _bias_finding(arm: Arm, attributes: Sequence[str], who: str) -> str:
    held = {n: p for n in attributes if (p := bias_shares(arm, n))[0].defined and p[1].defined}
    if not held:
        return ""
    minority, majority = mean(arm, attributes, bias_shares)
    name = max(held, key=lambda n: held[n][1].value)
    whose = "its majority answers" if who == "The model" else f"majority answers of {who[0].lower()}{who[1:]}"
    return (
        f"Of what supports {whose}, {words.percent(majority)} has no place in the image (minority: "
        f"{words.percent(minority)}). Highest: {name}, {words.percent(held[name][1].value)}."
    )


def plots(arms: Sequence[Arm], attributes: Sequence[str]) -> list[Plot]:
    """Error, gain and bias share of both classes, every attribute a row."""
    asked: tuple[tuple[str, str, str, Read, str, float, float | None], ...] = (
        ("Who is misjudged", "error [%]", "Share of each class that is got wrong.", errors, "percent", 100, None),
        (
            "Where it looks",
            "gain",
            "How much of the evidence for the given answer lies in the expected region: 0 (dashed) is chance, "
            "1 is all of it. By predicted class.",
            gains,
            "number",
            1,
            0.0,
        ),
        (
            "How much it decides without looking",
            "bias share [%]",
            "Share of the support for the given answer that no place in the image accounts for, against the midpoint "
            "reference. By predicted class.",
            bias_shares,
            "percent",
            100,
            None,
        ),
    )  # fmt: skip
    result = []
    for title, label, reading, read, kind, factor, zero in asked:
        values = {name: [read(arm, name) for arm in arms] for name in attributes}
        if not any(n.defined for row in values.values() for pair in row for n in pair):
            continue
        rows = [
            Row(
                name, minority_share(arms[0], name),
                tuple((_times(a, factor), _times(b, factor)) for a, b in values[name]),
            )
            for name in attributes
        ]  # fmt: skip
        limits = (0.0, 100.0) if kind == "percent" else None
        finding = _in_words(arms, attributes, read, kind)
        svg = inline(
            pairs(rows, [arm.name for arm in arms], label, zero=zero, limits=limits),
            f"{title}. {reading} {finding} All numbers are in the table below.",
        )
        result.append(Plot(title, svg, reading, finding))
    return result


def _times(number: Number, factor: float) -> Number:
    return Number(
        number.value * factor,
        number.low * factor,
        number.high * factor,
        number.images,
        number.identities,
        number.status,
    )


def _in_words(arms: Sequence[Arm], attributes: Sequence[str], read: Read, kind: str) -> str:
    """The figure's text alternative: means and extremes per arm."""
    form = words.percent if kind == "percent" else words.plain
    told = []
    for arm in arms:
        who = f"{arm.name}: " if len(arms) > 1 else ""
        minority, majority = mean(arm, attributes, read)
        held = {name: read(arm, name) for name in attributes}
        defined = [(n, p) for n, p in held.items() if p[0].defined and p[1].defined]
        if not defined:
            told.append(f"{who}undefined for every attribute.")
            continue
        name, widest = max(defined, key=lambda item: abs(item[1][0].value - item[1][1].value))
        told.append(
            f"{who}minority {form(minority)}, majority {form(majority)} on average; widest apart {name} "
            f"({form(widest[0].value)}, {form(widest[1].value)})."
        )
    return " ".join(told)


def columns(arms: Sequence[Arm]) -> list[Column]:
    """The table's columns; a single model needs no column for its name."""
    return [column for column in COLUMNS if column.key != "model" or len(arms) > 1]


def rows(arms: Sequence[Arm], attributes: Sequence[str], anchors: Mapping[str, str]) -> list[TableRow]:
    """A row per attribute and arm."""
    shown = columns(arms)
    return [_row(arm, name, shown, anchors[name]) for name in attributes for arm in arms]


def _row(arm: Arm, attribute: str, shown: Sequence[Column], anchor: str) -> TableRow:
    numbers: dict[str, Number] = {
        "minority_error": arm.rate(attribute, "minority_error"),
        "majority_error": arm.rate(attribute, "majority_error"),
        "auroc": arm.rate(attribute, "auroc"),
        "empty_majority": arm.measure(attribute, "empty", "predicted:majority"),
    }
    numbers["gain_minority"], numbers["gain_majority"] = gains(arm, attribute)
    numbers["bias_minority"], numbers["bias_majority"] = bias_shares(arm, attribute)
    rarer = words.has(arm, attribute, True)
    share = minority_share(arm, attribute)
    cells, data = [], dict[str, Any]()
    for column in shown:
        if column.key in numbers:
            number = numbers[column.key]
            cells.append(
                Cell(
                    words.shown(number, column.kind), _rounded(number.value),
                    words.interval(number, column.kind), number.small, words.basis(number) or "undefined",
                )
            )  # fmt: skip
            data |= _unformatted(column.key, number)
        elif column.key == "share":
            cells.append(Cell(words.percent(share), _rounded(share)))
            data["share"] = _rounded(share)
        else:
            text = {"attribute": attribute, "model": arm.name, "minority": rarer}[column.key]
            cells.append(Cell(text, text, link=f"#{anchor}" if column.key == "attribute" else ""))
            data[column.key] = text
    small = any(number.small for number in numbers.values())
    return TableRow(arm.name, attribute, small, cells, data)


def _unformatted(key: str, number: Number) -> dict[str, Any]:
    return {
        key: _rounded(number.value),
        f"{key}_low": _rounded(number.low),
        f"{key}_high": _rounded(number.high),
        f"{key}_images": number.images,
        f"{key}_status": number.status,
    }


def _rounded(value: float) -> float | None:
    """Six significant digits, far below any interval's width; None for NaN, which JSON has not."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
