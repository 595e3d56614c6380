"""The model-parameter randomisation test of an audit's methods, on a sample of the audited images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bincam.audit.folder.reader import Audit
from bincam.audit.pipeline.plan import Plan
from bincam.cam import Explainer
from bincam.cam.maps.native import NoEvidenceError
from bincam.data import AttributeTable
from bincam.display import counted
from bincam.metrics.randomization.cascade import randomisation
from bincam.metrics.randomization.dependence import LEAST_VARIANCE, MARGIN, ParameterDependence
from bincam.references import FITTED_FOR_MAPS
from bincam.stats.estimate import Estimate
from bincam.stats.estimate import undefined as undefined_estimate


def measure_dependence(
    plan: Plan, explainer: Explainer, spec: str, sample: AttributeTable, rows: Sequence[int], audit: Audit
) -> dict[str, Any]:
    """Test a method.

    The maps of the model as it is are those that the pass stored, so that only random networks are run; those of sets
    of outputs are drawn again, because their rivals are not stored, and so are those of single images where the pass
    averaged views. Maps that are counted from a fitted reference are drawn again from zero, because the test removes
    each network's own mean maps.

    Args:
        plan: The audit's plan.
        explainer: Of the method.
        spec: The method.
        sample: The images of the test.
        rows: Their rows among the audited images.
        audit: The audit so far, with its records and maps.

    Returns:
        The entry of ``gates``: ``verdict``, ``passed``, ``reason``, the figures of ``ParameterDependence`` and the
        numbers behind them; None stands for NaN.
    """
    batches = list(plan.loader(sample, batch_size=plan.batch_size, plain=True))
    if not batches:
        return untested(f"none of the {counted(len(sample), 'image')} for the test could be read")
    if not plan.explainers and plan.settings.side == "true":
        return untested("the true outputs of large sets are not tested; test with side predicted")
    images = torch.cat([batch.images for batch in batches])
    read = torch.cat([batch.rows for batch in batches]).numpy()
    labels = torch.cat([batch.labels for batch in batches]) if plan.explainers else None
    people = None if sample.identities is None else np.asarray(sample.identities, str)[read].tolist()
    reference = plan.settings.map_reference
    stored = not plan.one_of and plan.views is None and reference not in FITTED_FOR_MAPS
    drawn = stored_maps(audit, spec, np.asarray(rows)[read]) if stored else None
    try:
        result = randomisation(
            explainer,
            images,
            plan.settings.side,
            labels,
            identities=people,
            drawn=drawn,
            reference="attribute_mean" if reference == "attribute_mean" else "zero",
            seed=plan.settings.seed,
            batch_size=plan.batch_size,
        )
    except NoEvidenceError:
        return untested(
            "in a network with permuted parameters nothing of the layer reaches the logits, so it has no map to "
            "compare with; another layer, or another --seed, may be testable"
        )
    names = plan.own_rows or [str(number) for number in range(result.correlation.shape[-1])]
    return _entry(result.dependence, len(images), len(result.correlation), names)


def stored_maps(audit: Audit, spec: str, rows: np.ndarray[Any, Any]) -> tuple[Tensor, Tensor]:
    """Read the maps of some rows as the pass stored them.

    Args:
        audit: The audit, with all of its shards.
        spec: The method.
        rows: Rows of images that were read.

    Returns:
        ``(rows, A, h, w)`` float32, and the sides ``(rows, A)``: 1, -1, NaN without one.
    """
    count = len(audit.attributes)
    maps: dict[int, np.ndarray[Any, Any]] = {}
    sides: dict[int, np.ndarray[Any, Any]] = {}
    wanted = set(rows.tolist())
    for part, shard in zip(audit.record_parts(["row", "side"]), audit.maps(spec), strict=True):
        row, side = (part[name].to_numpy().reshape(-1, count) for name in ("row", "side"))
        for place, number in enumerate(row[:, 0].tolist()):
            if number in wanted:
                maps[number], sides[number] = np.asarray(shard[place], np.float32), side[place]
    known = torch.from_numpy(np.stack([sides[row] for row in rows.tolist()]).astype(np.float32))
    drawn = torch.from_numpy(np.stack([maps[row] for row in rows.tolist()]))
    return drawn, known.masked_fill(known == 0, torch.nan)


def untested(reason: str) -> dict[str, Any]:
    """Return the entry of a test that could not be carried out: nothing can be told."""
    nothing = undefined_estimate("not computed")
    return {"verdict": "cannot tell", "passed": False, "reason": reason, "images": 0, **_figures(nothing, nothing)}


def _entry(found: ParameterDependence, images: int, draws: int, names: Sequence[str]) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "passed": found.passed,
        "reason": found.reason,
        "images": images,
        "draws": draws,
        "cells": found.cells,
        **_figures(found.variance_left, found.excess),
        "variance_by_attribute": {
            name: _or_none(value) for name, value in zip(names, found.variance_by_attribute.tolist(), strict=True)
        },
        "excess_by_draw": [draw.to_json() for draw in found.excess_by_draw],
        "without_template": _likeness(found.without_template),
        "as_drawn": _likeness(found.as_drawn),
        "template": _or_none(found.template),
        "undefined": _or_none(found.undefined),
    }


def _figures(variance_left: Estimate, excess: Estimate) -> dict[str, Any]:
    return {
        "least_variance": LEAST_VARIANCE,
        "margin": MARGIN,
        "variance_left": variance_left.to_json(),
        "excess": excess.to_json(),
    }


def _likeness(likeness: Any) -> Mapping[str, float | None]:
    return {"same": _or_none(likeness.same), "other": _or_none(likeness.other)}


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
