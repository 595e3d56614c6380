"""Measures that take many forward passes, on a few images: deletion, insertion, ROAD, and the randomisation gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bincam.audit.folder import writer
from bincam.audit.folder.reader import SAMPLE_KIND
from bincam.audit.pipeline.plan import Plan
from bincam.cam import Explainer
from bincam.data import AttributeTable
from bincam.files import read_json, write_json
from bincam.metrics.faithfulness.deletion_insertion import Curve, deletion, insertion
from bincam.metrics.faithfulness.road import road
from bincam.metrics.randomization import BOUND, randomisation
from bincam.progress import track

SCHEMA = 1
STEPS = 5
FEW = 4  # images at a time, so that progress is seen
FRACTIONS = (0.2, 0.5, 0.8)
MEASURES = ("deletion", "insertion", "random_deletion", "random_insertion", "road")


def measure_sample(plan: Plan, folder: Path) -> dict[str, Any]:
    """The content of ``sample.json``.

    Args:
        plan: Of the audit; its settings say how many images.
        folder: The audit's. A method's results are kept in its state, so that a resumed audit does not repeat them.

    Returns:
        ``images``: rows of the sample. ``methods``: per method, measure and attribute the mean area (deletion,
        insertion, and both in random order), or score (ROAD), the number of images that it is of, and each image's.
        ``gates``: per method what the randomisation gate says. None stands for NaN.
    """
    drawn = _drawn(plan, plan.settings.sample)
    result: dict[str, Any] = {
        "kind": SAMPLE_KIND,
        "schema": SCHEMA,
        "images": _rows(plan, drawn),
        "steps": STEPS,
        "road_fractions": list(FRACTIONS),
        "methods": {},
        "gates": {},
    }
    for number, (spec, explainer) in enumerate(plan.explainers.items()):
        state = writer.state_file(folder, f"sample-{number:02d}.json")
        if not state.is_file():
            found = {"curves": _curves(plan, drawn, spec, explainer), "gate": _gate(plan, explainer)}
            write_json(state, {"kind": SAMPLE_KIND, "schema": SCHEMA, **found})
        held = read_json(state, kind=SAMPLE_KIND, schema=SCHEMA)
        if held["curves"] is not None:
            result["methods"][spec] = held["curves"]
        if held["gate"] is not None:
            result["gates"][spec] = held["gate"]
    return result


def storable(value: Any) -> Any:
    """Tensors and numbers as JSON has them: lists, and None for NaN."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list):
        return [storable(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _drawn(plan: Plan, count: int) -> AttributeTable | None:
    if not count:
        return None
    return plan.table.subset(min(count, len(plan.table)), seed=plan.settings.seed)


def _rows(plan: Plan, drawn: AttributeTable | None) -> list[int]:
    if drawn is None:
        return []
    position = {name: row for row, name in enumerate(plan.table.ids)}
    return [position[name] for name in drawn.ids]


def _curves(plan: Plan, drawn: AttributeTable | None, spec: str, explainer: Explainer) -> dict[str, Any] | None:
    if drawn is None:
        return None
    seed, side = plan.settings.seed, plan.settings.side
    ways: dict[str, Callable[..., Curve]] = {"deletion": deletion, "insertion": insertion}
    parts: dict[str, list[Tensor]] = {name: [] for name in MEASURES}
    batches = plan.loader(drawn, batch_size=FEW)
    for batch in track(batches, f"sample {spec}", total=len(drawn), unit="images", amount=len):
        e = explainer(batch.images, side, batch.labels)
        for name, way in ways.items():
            parts[name].append(way(explainer, batch.images, e, steps=STEPS, seed=seed).area)
            control = way(explainer, batch.images, e, steps=STEPS, seed=seed, order="random")
            parts[f"random_{name}"].append(control.area)
        parts["road"].append(road(explainer, batch.images, e, fractions=FRACTIONS, seed=seed).score)
    return {name: _by_attribute(plan.table.names, torch.cat(values)) for name, values in parts.items() if values}


def _by_attribute(names: Sequence[str], values: Tensor) -> dict[str, Any]:
    """Mean, count and every value of each attribute, from ``(N, A)``."""
    return {
        name: {
            "mean": storable(column.nanmean().item()),
            "images": int((~column.isnan()).sum()),
            "values": storable(column),
        }
        for name, column in zip(names, values.double().cpu().unbind(1), strict=True)
    }


def _gate(plan: Plan, explainer: Explainer) -> dict[str, Any] | None:
    """What the randomisation gate says of a method."""
    drawn = _drawn(plan, plan.settings.gate_images)
    if drawn is None:
        return None
    batches = list(plan.loader(drawn, batch_size=len(drawn)))
    if not batches:
        return _no_verdict(f"none of the {len(drawn)} images that it was to be judged on could be read")
    images, labels = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("images", "labels"))
    found = randomisation(explainer, images, plan.settings.side, labels, seed=plan.settings.seed)
    return {
        "passed": found.passed,
        "reason": found.reason,
        "bound": BOUND,
        "chance": storable(found.chance),
        "images": len(images),
        "stages": list(found.stages),
        "mean": storable(found.mean),
        "upper": storable(found.upper),
        "undefined": storable(found.undefined),
    }


def _no_verdict(reason: str) -> dict[str, Any]:
    """What the gate says of a method that could not be put to it: it has not passed."""
    return {
        "passed": False,
        "reason": reason,
        "bound": BOUND,
        "chance": None,
        "images": 0,
        "stages": [],
        "mean": [],
        "upper": [],
        "undefined": [],
    }
