"""Measures on a sample, because they take many forward passes: deletion, insertion, ROAD, randomisation test."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from bincam.audit.folder.files import PART_SCHEMA, SAMPLE_KIND
from bincam.audit.folder.reader import Audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.cells.hidden import hide_objects
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.tests_of_maps.parameter_test import measure_dependence
from bincam.cam import Explainer, Explanation
from bincam.data import AttributeTable
from bincam.files import read_json, write_json
from bincam.metrics.faithfulness.deletion_insertion import Curve, deletion, insertion
from bincam.metrics.faithfulness.road import road
from bincam.progress import track

STEPS = 5
IMAGES_AT_A_TIME = 4  # few, so that the progress bar advances often
FRACTIONS = (0.2, 0.5, 0.8)
MEASURES = ("deletion", "insertion", "random_deletion", "random_insertion", "road")


def measure_sample(plan: Plan, writer: AuditWriter, audit: Audit) -> dict[str, Any]:
    """Compute the content of ``sample.json``.

    Args:
        plan: The audit's plan; its settings give the numbers of images.
        audit: The audit so far, with its records and maps.
        writer: Of the audit. A method's results are kept in its state, so that a resumed audit does not repeat them.

    Returns:
        ``images``: rows of the sample. ``methods``: per method, measure and attribute the mean area (deletion,
        insertion, and both in random order), or score (ROAD), the number of images averaged, and each image's value.
        ``hidden``: of an audit with a prediction grid, see ``hide_objects``.
        ``gates``: per method the result of the model-parameter randomisation test. None stands for NaN.
    """
    sample = _draw(plan, plan.settings.sample)
    result: dict[str, Any] = {
        "images": _rows(plan, sample),
        "steps": STEPS,
        "road_fractions": list(FRACTIONS),
        "methods": {},
        "gates": {},
    }
    of_test = _draw(plan, plan.settings.gate_images)
    for number, (spec, explainer) in enumerate(plan.explainer_of.items()):
        state = writer.state(f"sample-{number:02d}.json")
        if not state.is_file():
            measured = {"curves": _curves(plan, sample, spec), "gate": None}
            if of_test is not None:
                measured["gate"] = measure_dependence(plan, explainer, spec, of_test, _rows(plan, of_test), audit)
            write_json(state, {"kind": SAMPLE_KIND, "schema": PART_SCHEMA, **measured})
        measured = read_json(state, kind=SAMPLE_KIND, schema=PART_SCHEMA)
        if measured["curves"] is not None:
            result["methods"][spec] = measured["curves"]
        if measured["gate"] is not None:
            result["gates"][spec] = measured["gate"]
    if plan.cells is not None and sample is not None:
        result["hidden"] = _hidden(plan, sample, writer)
    return result


def _hidden(plan: Plan, sample: AttributeTable, writer: AuditWriter) -> Any:
    """Measure the sample with its objects hidden, unless an interrupted audit did."""
    state = writer.state("sample-hidden.json")
    if not state.is_file():
        content = {"hidden": storable(hide_objects(plan, sample, torch.tensor(_rows(plan, sample))))}
        write_json(state, {"kind": SAMPLE_KIND, "schema": PART_SCHEMA, **content})
    return read_json(state, kind=SAMPLE_KIND, schema=PART_SCHEMA)["hidden"]


def storable(value: Any) -> Any:
    """Convert tensors and numbers to JSON values: lists, and None for numbers that are not finite."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: storable(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [storable(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _draw(plan: Plan, count: int) -> AttributeTable | None:
    """A stratified draw from the audited images; None for none."""
    if not count:
        return None
    return plan.table.subset(min(count, len(plan.table)), seed=plan.settings.seed)


def _rows(plan: Plan, sample: AttributeTable | None) -> list[int]:
    if sample is None:
        return []
    row_of = {name: row for row, name in enumerate(plan.table.ids)}
    return [row_of[name] for name in sample.ids]


def _curves(plan: Plan, sample: AttributeTable | None, spec: str) -> dict[str, Any] | None:
    if sample is None:
        return None
    side, rows = plan.settings.side, torch.tensor(_rows(plan, sample), dtype=torch.int64)
    values: dict[str, list[Tensor]] = {name: [] for name in MEASURES}
    batches = plan.loader(sample, batch_size=IMAGES_AT_A_TIME)
    for batch in track(batches, f"sample {spec}", total=len(sample), unit="images", amount=len):
        parts: list[dict[str, Tensor]] = []
        if plan.explainers:
            explainer = plan.explainers[spec]
            explained = plan.counted(spec, explainer(batch.images, side, batch.labels))
            parts.append(_areas(explainer, batch.images, explained, None, plan.settings.seed))
        if plan.large:
            of_batch = rows[batch.rows]
            explained, ranks = plan.large.explain_ranks(spec, batch.images, side, of_batch)
            areas = _areas(plan.large.explainers[spec], batch.images, explained, ranks, plan.settings.seed)
            missing = plan.large.unexplained(side, of_batch)
            parts.append({n: area.masked_fill(missing.to(area.device), torch.nan) for n, area in areas.items()})
        for name, of_measure in values.items():
            of_measure.append(torch.cat([part[name] for part in parts], 1))
    return {name: _by_attribute(plan.names, torch.cat(parts)) for name, parts in values.items() if parts}


def _areas(
    explainer: Explainer, images: Tensor, e: Explanation, attributes: Sequence[str] | None, seed: int
) -> dict[str, Tensor]:
    """Measure a batch by the measures of ``MEASURES``, ``(B, attributes)`` each."""
    curves: dict[str, Callable[..., Curve]] = {"deletion": deletion, "insertion": insertion}
    areas: dict[str, Tensor] = {}
    for name, curve in curves.items():
        areas[name] = curve(explainer, images, e, attributes, steps=STEPS, seed=seed).area
        control = curve(explainer, images, e, attributes, steps=STEPS, seed=seed, order="random")
        areas[f"random_{name}"] = control.area
    areas["road"] = road(explainer, images, e, attributes, fractions=FRACTIONS, seed=seed).score
    return areas


def _by_attribute(names: Sequence[str], values: Tensor) -> dict[str, Any]:
    """Mean, number and all values ``(N,)`` of each attribute, from ``(N, A)``."""
    return {
        name: {
            "mean": storable(column.nanmean().item()),
            "images": int((~column.isnan()).sum()),
            "values": storable(column),
        }
        for name, column in zip(names, values.double().cpu().unbind(1), strict=True)
    }
