"""What follows the pass: everything that the shards add up to, and the measures of a sample; the summary last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bincam.audit.folder import reader, writer
from bincam.audit.folder.reader import Audit
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import outline_size, outlines
from bincam.audit.pipeline.sampled_metrics import measure_sample, storable
from bincam.audit.summary.summarize import summarise
from bincam.errors import InputError
from bincam.files import atomic, write_json
from bincam.metrics.attention_overlap import AttentionOverlap


def finish(plan: Plan, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Everything that the shards add up to; the summary last."""
    sums, skipped = writer.read_sums(folder, manifest)
    means = {name: sums[name] for spec in plan.explainers for name in (f"{spec}.sum", f"{spec}.count") if name in sums}
    if not means:
        raise InputError(f"none of the {len(plan.table)} images could be read; first: {next(iter(skipped.values()))}")
    writer.write_tensors(folder, reader.MEANS, means)
    writer.write_tensors(folder, reader.REGIONS, {"regions": _region_pictures(plan, sums)})
    _write_mean_image(plan, folder, sums)
    table = plan.table
    identities = [""] * len(table) if table.identities is None else table.identities.tolist()
    writer.write_images(
        folder,
        {"image": table.ids, "identity": identities}
        | {f"group.{name}": values.tolist() for name, values in table.groups.items()}
        | {"skipped": [skipped.get(row, "") for row in range(len(table))]},
    )
    write_json(folder / reader.FINDINGS, _findings(plan, sums, skipped))
    audit = reader.open_audit(folder, unfinished=True)
    write_json(folder / reader.LEAKAGE, _leakage(audit), compact=True)
    write_json(folder / reader.SAMPLE, measure_sample(plan, folder), compact=True)
    writer.write_summary(folder, summarise(audit, slice_by=plan.settings.slice_by))


def _findings(plan: Plan, sums: Mapping[str, Any], skipped: Mapping[int, str]) -> dict[str, Any]:
    """What could not be measured, counted and named."""
    names = plan.table.names

    def counted(values: Any) -> dict[str, int]:
        return {name: int(n) for name, n in zip(names, values, strict=True) if n}

    return {
        "kind": reader.FINDINGS_KIND,
        "schema": 1,
        "skipped": len(skipped),
        "nan_logits": counted(sums["nan_logits"]),
        "maps_beyond_half_precision": {spec: counted(sums[f"{spec}.beyond"]) for spec in plan.explainers},
        "outside_the_crop": {
            source: counted(sums[f"outside.{source}"]) for source in plan.sources if f"outside.{source}" in sums
        },
        "with_a_mask": {
            source: counted(sums[f"known.{source}"]) for source in plan.sources if f"known.{source}" in sums
        },
        "notes": list(plan.notes),
    }


def _leakage(audit: Audit) -> dict[str, Any]:
    """Attention overlap of the primary method's maps, beside the correlation of the labels."""
    overlap = AttentionOverlap(audit.attributes)
    labels = audit.records(["label"])["label"].to_numpy().reshape(-1, len(audit.attributes))
    first = 0
    for maps in audit.maps():
        here = torch.from_numpy(labels[first : first + len(maps)].copy())
        first += len(maps)
        if len(maps):
            overlap.add(torch.from_numpy(np.asarray(maps, np.float32)), here)
    found = overlap.result()
    return {
        "kind": reader.LEAKAGE_KIND,
        "schema": 1,
        "method": audit.methods[0],
        "attributes": list(audit.attributes),
        "overlap": storable(found.overlap),
        "expected": storable(found.expected),
        "images": storable(found.images),
        "phi": storable(found.phi),
        "labelled": storable(found.labelled),
        "agreement": storable(found.agreement),
    }


def _region_pictures(plan: Plan, sums: Mapping[str, Any]) -> Any:
    """The mean region of each attribute, small; NaN where no image has one."""
    names, size = plan.table.names, plan.model.card.input_size
    if plan.moving:
        known = sums["known.region"][:, None, None]
        with np.errstate(invalid="ignore"):
            return np.where(known > 0, sums["outline.sum"] / known, np.nan).astype(np.float16)
    if plan.regions is None:
        return np.full((len(names), *outline_size(size)), np.nan, np.float16)
    masks = plan.regions.masks(names, size)
    pictures = (outlines(masks, size) / 255).astype(np.float16)
    pictures[[mask is None for mask in masks]] = np.nan
    return pictures


def _write_mean_image(plan: Plan, folder: Path, sums: Mapping[str, Any]) -> None:
    """The mean of the audited images, as the model sees them."""
    from PIL import Image

    card = plan.model.card
    mean, std = (np.asarray(values)[:, None, None] for values in (card.mean, card.std))
    pixels = sums["image.sum"] / sums["image.count"] * std + mean  # (C, H, W) in [0, 1]
    shown = np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    with atomic(folder / reader.MEAN_IMAGE) as part:
        Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown).save(part)
