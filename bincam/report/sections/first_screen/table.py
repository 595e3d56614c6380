"""The table of all numbers, a row per attribute and model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bincam.audit.folder.schema import MASKS
from bincam.report.reading.audited_model import Arm, minority_share
from bincam.report.reading.contrast import MovedArm
from bincam.report.sections.first_screen.comparisons import bias_shares, by_answer, gains
from bincam.report.sections.words import sentences, wording
from bincam.report.view.parts import Cell
from bincam.report.view_model import Column, TableRow
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, basis, interval, listed, percent, shown

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


OF_MAPS = ("Gain", "Gain, per-image masks", "No positive evidence")
"""Groups of columns that are made of maps; so are those that are shown on request."""


def columns(arms: Sequence[Arm]) -> list[Column]:
    """List the table's columns, without those of masks that no audit has and, for one model, of its name."""
    masks = {mask for arm in arms for mask in arm.audit.masks}
    further = [
        Column(f"{key}_{name}", name.capitalize(), group, "number", f"{about}, {name} predicted.", further=True)
        for key, (group, about) in FURTHER.items()
        for name in ("minority", "majority")
    ]
    missing = tuple(f"{mask}_" for mask in MASKS if mask not in masks)
    labels = wording.labels_counted(arms[0], arms[0].audit.manifest.yes_or_no)
    group = "Training" if labels == "training labels" else "Audited labels" if labels == "audited labels" else "Labels"
    return [
        replace(column, group=group, help=column.help.format(labels=labels))
        if column.group == "Training"
        else replace(column, of_maps=column.group in OF_MAPS or column.further)
        for column in (*COLUMNS, *further)
        if (column.key != "model" or len(arms) > 1) and not column.key.startswith(missing)
    ]


REASONS = (
    (("minority_error", "majority_error"), "no labelled image of the class"),
    (("auroc",), "one of the classes has no image, or none with a finite logit"),
    (
        ("object", "influence"),
        "no image has such a mask, or it is finer than the maps, or no map has positive evidence",
    ),
    (("empty",), "no image was predicted so"),
    (("bias",), "no image was predicted so, or the audit has no fitted reference"),
    (("",), "no image was predicted so, the attribute has no region, or no map has positive evidence"),
)
"""Why a figure may be undefined, by the start of its column's key."""


AT_ANOTHER_THRESHOLD = "not measured at an adjusted threshold, which keeps the maps and shifts the ledger's constant"
UNDEFINED_BECAUSE = "undefined: "


def reason(key: str, *, moved: bool = False) -> str:
    """Write why the figures of a column are undefined where they are.

    Args:
        key: Of the column.
        moved: True at an adjusted threshold, at which masks and the ledger are not measured.

    >>> reason("auroc")
    'one of the classes has no image, or none with a finite logit'
    """
    if moved and key.startswith(("object", "influence", "bias")):
        return AT_ANOTHER_THRESHOLD
    return next(text for starts, text in REASONS if key.startswith(starts))


def undefined(columns_shown: Sequence[Column], rows_shown: Sequence[TableRow]) -> list[str]:
    """List why cells of the table have no value, a reason for the columns that share it."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows_shown:
        for column, cell in zip(columns_shown, row.cells, strict=True):
            if cell.note.startswith(UNDEFINED_BECAUSE):
                name = (column.head if column.group in ("", "Error") else column.group).lower()
                by_reason.setdefault(cell.note.removeprefix(UNDEFINED_BECAUSE), {})[name] = None
    return [f"{listed(list(names))}: {text}" for text, names in by_reason.items()]


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
    share, moved = minority_share(arm, attribute), isinstance(arm, MovedArm)
    cells: list[Cell] = []
    data: dict[str, Any] = {}
    for column in columns_shown:
        if column.key in estimates:
            estimate = estimates[column.key]
            kind: Kind = "percent" if column.kind == "percent" else "number"
            cells.append(
                Cell(
                    shown(estimate, kind), _rounded(estimate.value), interval(estimate, kind), estimate.small,
                    basis(estimate) if estimate.defined else UNDEFINED_BECAUSE + reason(column.key, moved=moved),
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
