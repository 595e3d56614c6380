"""The prediction grids of ``bincam explain --grid``: JSON values of an image, and its picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.report.figures.pictured.grid import NamedCells, ScoreCells
from bincam.stats.formatting import number, percent, significant

if TYPE_CHECKING:
    from bincam.cam import PredictionGrid

CLAIMS = {
    "frozen": "the mean of the cells is the logit",
    "pointwise": "the head is applied to each cell alone, so the mean of the cells is not the logit",
}


def describe_grid(grid: PredictionGrid, row: int, taken: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
    """Describe the cells of one image in JSON values.

    Args:
        grid: Of its batch.
        row: Of the image.
        taken: Name of a set to the output that the model takes for this image, and its probability.

    Returns:
        The reading; per yes-or-no attribute the cell scores, the share of the cells that say yes, and the gap between
        the logit and their mean; per set the output that each cell names, and how many name it.
    """
    yes, gap = grid.yes[row], grid.gap[row]
    attributes = []
    for column, name in enumerate(grid.attributes):
        if grid.sets and grid.sets[column] is not None:
            continue
        said = yes[column]
        attributes.append(
            {
                "name": name,
                "logit": _finite(grid.logits[row, column].item()),
                "threshold": _finite(grid.threshold[column].item()),
                "gap": _finite(gap[column].item()),
                "yes": _finite(said.mean().item()),
                "scores": [[_finite(value) for value in line] for line in grid.scores[row, column].tolist()],
            }
        )
    sets = []
    for owner, names in grid.names.items():
        winners = grid.winners(owner)[row].numpy(force=True)
        counts = np.bincount(winners[winners >= 0], minlength=len(names))
        answer, probability = taken.get(owner, (None, math.nan))
        sets.append(
            {
                "name": owner,
                "answer": answer,
                "probability": _finite(probability),
                "cells": [[names[place] if place >= 0 else None for place in line] for line in winners.tolist()],
                "counts": {
                    names[place]: int(counts[place]) for place in np.argsort(-counts, kind="stable") if counts[place]
                },
                "outputs": len(names),
            }
        )
    return {"reading": grid.reading, "shape": list(grid.shape), "attributes": attributes, "sets": sets}


def panels_of(entry: Mapping[str, Any], scales: Mapping[str, float]) -> list[ScoreCells | NamedCells]:
    """Make the panels of a picture from the entry of ``describe_grid``.

    Args:
        entry: Of the image.
        scales: Greatest |s - t| of each yes-or-no attribute.
    """
    panels: list[ScoreCells | NamedCells] = []
    for each in entry["sets"]:
        names = tuple(dict.fromkeys([*each["counts"], *([each["answer"]] if each["answer"] is not None else [])]))
        winners = np.array([[-1 if cell is None else names.index(cell) for cell in line] for line in each["cells"]])
        answer = names.index(each["answer"]) if each["answer"] is not None else -1
        panels.append(NamedCells(each["name"], _lines_of_set(each), winners, names, answer))
    panels += [
        ScoreCells(
            each["name"],
            _lines_of_attribute(each),
            np.array(each["scores"], dtype=float),  # null becomes NaN
            each["threshold"],
            scales[each["name"]],
        )
        for each in entry["attributes"]
    ]
    return panels


def scales_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Find the greatest |s - t| of each yes-or-no attribute in all images, which all pictures of a call share.

    Returns:
        Positive numbers; 1 where no cell differs from the threshold.
    """
    scales: dict[str, float] = {}
    for entry in entries:
        for each in entry["attributes"]:
            off = np.abs(np.array(each["scores"], dtype=float) - each["threshold"])
            scales[each["name"]] = max(scales.get(each["name"], 0.0), float(off[np.isfinite(off)].max(initial=0.0)))
    return {name: value or 1.0 for name, value in scales.items()}


def grid_caption(entry: Mapping[str, Any], reason: str) -> str:
    """State below a picture what a cell says, and what may be claimed."""
    h, w = entry["shape"]
    gaps = [abs(each["gap"]) for each in entry["attributes"] if each["gap"] is not None]
    gap = f" (by up to {significant(max(gaps), 2)} here)" if entry["reading"] == "pointwise" and gaps else ""
    parts = [f"Prediction grid of {h} × {w} cells, {entry['reading']}: {CLAIMS[entry['reading']]}{gap}; {reason}."]
    if entry["attributes"]:
        parts.append(
            "Red cells say yes, blue cells no; the dark line is the threshold; each attribute has one scale in all "
            "figures of this call."
        )
    if entry["sets"]:
        parts.append("Of a set, a cell has the colour of the output with its highest score.")
    parts.append("A cell sees more of the image than its square, so that neighbours of an object may name it too.")
    return " ".join(parts)


def grid_summary(entry: Mapping[str, Any], most: int = 12) -> list[str]:
    """Write a line per set and yes-or-no attribute for a terminal.

    Args:
        entry: Of ``describe_grid``.
        most: Number of lines after which the rest is only counted.
    """
    lines = []
    for each in entry["sets"]:
        cells = sum(each["counts"].values())
        named = ", ".join(f"{name} {count}" for name, count in list(each["counts"].items())[:4])
        more = len(each["counts"]) - 4
        lines.append(
            f"{each['name']}: {_lines_of_set(each)[0].removeprefix('the image: ')}; of {cells} cells name {named}"
            + (f", and {more} more outputs" if more > 1 else ", and one more output" if more == 1 else "")
        )
    lines += [
        f"{each['name']}: {'; '.join(line.removeprefix('the image: ') for line in _lines_of_attribute(each) if line)}"
        for each in entry["attributes"]
    ]
    return lines if len(lines) <= most else [*lines[:most], f"... and {len(lines) - most} more"]


def _lines_of_attribute(each: Mapping[str, Any]) -> tuple[str, ...]:
    if each["logit"] is None:
        return ("logit undefined", "no prediction", "")
    answer = "YES" if each["logit"] >= each["threshold"] else "NO"
    said = "undefined" if each["yes"] is None else f"{percent(each['yes'], 0)} of the cells say yes"
    return (f"the image: {answer}, logit {number(each['logit'], signed=True)}", said)


def _lines_of_set(each: Mapping[str, Any]) -> tuple[str, ...]:
    if each["answer"] is None or each["probability"] is None:
        return ("no prediction",)
    named = f"cells name {len(each['counts']):,} of {each['outputs']:,} outputs"
    return (f"the image: {each['answer']}, p = {percent(each['probability'])}", named)


def _finite(value: float) -> float | None:
    """Round to float32's digits; None where undefined."""
    return float(f"{value:.7g}") if math.isfinite(value) else None
