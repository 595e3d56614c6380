"""Fitting what the reference split says of boxes: a pass over a few of its images, before the audit's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.box_reference import BoxReference, load_box_reference
from bincam.audit.folder.parts.boxes import REFERENCE
from bincam.audit.pipeline.boxes.box_plan import BoxPlan
from bincam.audit.pipeline.boxes.reading import PARTS, ReadBoxes, boxes_of
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.shard import count_images
from bincam.errors import InputError
from bincam.followed import remove
from bincam.metrics.localization.boxes.constant import fit_constant_boxes
from bincam.metrics.localization.boxes.overlaps import NO_TRUTH, Overlaps
from bincam.metrics.localization.boxes.protocols.clean import clean_overlaps
from bincam.metrics.localization.boxes.scores import best_level, pooled
from bincam.progress import track

PER_ATTRIBUTE = 64
"""Images of each attribute that are read at most, and explained for the threshold."""


def with_fitted_boxes(plan: Plan, folder: Path, *, resumed: bool) -> Plan:
    """Return a plan whose boxes know the reference split: read if the audit is resumed, else fitted and saved.

    Args:
        plan: The plan.
        folder: The audit's folder.
        resumed: The folder has a manifest, so that what was saved is of this audit.

    Raises:
        InputError: An image cannot be read, and the settings do not say to skip it.
    """
    boxes = plan.boxes
    if boxes is None or plan.box_table is None:
        return plan
    saved = load_box_reference(folder) if resumed else None
    if saved is None:
        saved = _fit(plan, boxes)
        if saved is None:
            remove(folder / REFERENCE)
            return plan
        saved.save(folder)
    if saved.names != boxes.objects.names:
        raise InputError(f"{folder / REFERENCE}: of other attributes than those that are audited; make the audit again")
    return replace(plan, boxes=replace(boxes, reference=saved))


def _fit(plan: Plan, boxes: BoxPlan) -> BoxReference | None:
    """Fit the constant boxes and choose the threshold; None where no image of the split has an object."""
    table, (spec, explainer) = plan.box_table, next(iter(plan.explainers.items()))
    assert table is not None
    names = boxes.objects.names
    positive = table.labels[:, [table.index(name) for name in names]] == 1
    rows = reference_rows(positive, boxes.seed, plan.settings.reference_limit)
    if not len(rows):
        return None
    chosen = table.take(rows)
    reading = ReadBoxes(boxes.objects, chosen.ids, positive[rows], boxes.size, boxes.grid, measured=False)
    loader = plan.loader(chosen, also=reading)
    truth: list[list[NDArray[np.float64]]] = [[] for _ in names]
    curves: list[Overlaps] = []
    for batch in track(loader, "boxes of the reference split", total=len(chosen), unit="images", amount=count_images):
        found = boxes_of(batch.also[PARTS].numpy())
        explained = plan.counted(spec, explainer(batch.images, "positive"))
        maps = explained.maps[:, list(boxes.columns)].float().cpu()
        curves.append(clean_overlaps(maps, found, boxes.size))
        for a, of_attribute in enumerate(truth):
            of_attribute += [row[a] for row in found]
    whole = pooled(curves) if curves else None
    level = float("nan")
    if whole is not None and (whole.status != NO_TRUTH).any():
        level = best_level(whole)
    split = ", ".join(sorted(table.counts()))
    return BoxReference(names, fit_constant_boxes(truth, boxes.size), level, len(chosen), split)


def reference_rows(positive: NDArray[np.bool_], seed: int, most: int) -> NDArray[np.int64]:
    """Draw images of the reference split so that each attribute is on up to ``PER_ATTRIBUTE`` of them, rarest first.

    Args:
        positive: ``(N, A)``: the images that have the attribute.
        seed: Of the draw.
        most: Images at most.

    Returns:
        Their rows, in order.

    >>> reference_rows(np.array([[1, 0], [1, 1], [0, 0]], bool), seed=0, most=9).tolist()
    [0, 1]
    """
    random = np.random.default_rng([seed, len(positive)])
    chosen = np.zeros(len(positive), bool)
    for a in np.argsort(positive.sum(0), kind="stable").tolist():
        lacking = PER_ATTRIBUTE - int((positive[:, a] & chosen).sum())
        rest = np.flatnonzero(positive[:, a] & ~chosen)
        if lacking > 0 and len(rest):
            chosen[random.choice(rest, min(lacking, len(rest)), replace=False)] = True
    rows = np.flatnonzero(chosen)
    if len(rows) > most:
        rows = np.sort(random.choice(rows, most, replace=False))
    return rows
