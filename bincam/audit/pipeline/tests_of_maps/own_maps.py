"""Attribute specificity of an audit: of the maps that the pass stored, without a forward pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.reader import Audit
from bincam.audit.pipeline.measure import ones
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import Grid, MaskProjector, key
from bincam.metrics.specificity.attribute_marks import (
    MARGIN,
    AttributeSpecificity,
    Part,
    Specificity,
    attribute_specificity,
)
from bincam.metrics.specificity.competitors import region_overlaps
from bincam.progress import track
from bincam.resample import project
from bincam.stats.estimate import Estimate

IMAGES = 1024
"""Images at most, a draw: the share of a random half is known to a point or two, and memory does not grow."""

NO_SET = "fewer than two yes-or-no attributes; maps of outputs that exclude one another are differences of each other"


def measure_specificity(audit: Audit, plan: Plan | None = None) -> dict[str, Any]:
    """Compute the content of ``specificity.json``, of the primary method.

    Args:
        audit: An audit with its records, maps and regions.
        plan: Its plan, of which masks that differ from image to image are read again; without it they are left out.

    Returns:
        ``method``, ``images``, ``margin``, ``reason`` (why there is none, else empty) and ``attributes``, see
        ``AttributeSpecificity``; None stands for NaN.
    """
    names = audit.manifest.yes_or_no
    if len(names) < 2:
        reason = NO_SET if audit.one_of else "one attribute: there are no other maps to compare its map with"
        return _content(audit, 0, Specificity({}, reason))
    rows, maps, labels = _signed(audit, [audit.attributes.index(name) for name in names])
    identities = audit.images["identity"].to_numpy(str)[rows].tolist()
    grid = (maps.shape[-2], maps.shape[-1])
    weights: NDArray[np.floating] | None = None
    total = overlaps = None
    if plan is not None and plan.moving:
        weights, total = _own_regions(plan, rows, grid), ones(grid, plan.model.card.input_size).numpy()
    elif (regions := _regions(audit, names)) is not None:
        weights, total = project(regions, grid), project(np.ones(regions.shape[1:]), grid)
        overlaps = region_overlaps(regions)
    found = attribute_specificity(
        maps,
        labels,
        names,
        identities=identities,
        weights=weights,
        total=total,
        overlaps=overlaps,
        differences=audit.manifest.map_reference == "attribute_mean",
        seed=audit.manifest.seed,
    )
    return _content(audit, len(rows), found)


def _signed(audit: Audit, own: list[int]) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Read rows ``(N,)``, evidence for the positive class ``(N, A, h, w)`` and labels ``(N, A)`` of a draw."""
    count = len(audit.attributes)
    read = np.concatenate([part["row"].to_numpy()[::count] for part in audit.record_parts(["row"])]).astype(np.int64)
    drawn = read
    if len(read) > IMAGES:
        drawn = np.sort(np.random.default_rng(audit.manifest.seed).choice(read, IMAGES, replace=False))
    maps, labels = [], []
    for part, shard in zip(audit.record_parts(["row", "side", "label"]), audit.maps(), strict=True):
        row, side, label = (part[name].to_numpy().reshape(-1, count) for name in ("row", "side", "label"))
        kept = np.isin(row[:, 0], drawn)
        sign = np.where(side == 0, np.nan, side).astype(np.float32)
        maps.append(sign[kept][:, own, None, None] * np.asarray(shard[kept][:, own], np.float32))
        labels.append(label[kept][:, own])
    return drawn, np.concatenate(maps), np.concatenate(labels)


def _regions(audit: Audit, names: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Read the regions that are the same in every image ``(A, H', W')``; None if there are none.

    Of others the audit keeps the mean alone, and counts the images that have one.
    """
    if audit.manifest.regions is None or "region" in audit.unmeasured.get("with_a_mask", {}):
        return None
    regions = audit.regions().astype(np.float64)
    own = regions[[audit.attributes.index(name) for name in names]]
    return own if np.isfinite(own).any() else None


def _own_regions(plan: Plan, rows: NDArray[np.int64], grid: Grid) -> NDArray[np.float32]:
    """Read the masks of images again, as weights on the grid ``(N, A, h, w)``; NaN where an image has none."""
    table = plan.table.take(rows)
    projector = MaskProjector(table, plan.model.card.input_size, (grid,), {"region": plan.sources["region"]})
    own = [table.names.index(name) for name in plan.manifest.yes_or_no]
    weights = np.full((len(rows), len(own), *grid), np.nan, np.float32)
    batches = plan.loader(table, also=projector)
    for batch in track(batches, "regions", total=len(table), unit="images", amount=len):
        weights[batch.rows.numpy()] = batch.also[key("region", grid)].numpy()[:, own]
    return weights


def _content(audit: Audit, images: int, found: Specificity) -> dict[str, Any]:
    return {
        "method": audit.methods[0],
        "images": images,
        "margin": MARGIN,
        "reason": found.reason,
        "attributes": {name: _entry(one) for name, one in found.attributes.items()},
    }


def _entry(one: AttributeSpecificity) -> dict[str, Any]:
    return {
        "mark": one.mark,
        "own_share": one.own_share.to_json(),
        "null": _or_none(one.null),
        "share": _part(one.share),
        "own_share_given_labels": one.own_share_given_labels.to_json(),
        "null_given_labels": _or_none(one.null_given_labels),
        "region": _part(one.region),
        "competitors": list(one.competitors),
    }


def _part(part: Part) -> dict[str, Any]:
    excess: Estimate = part.excess
    return {"verdict": part.verdict, "excess": excess.to_json(), "p": _or_none(part.p), "reason": part.reason}


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
