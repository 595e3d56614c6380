"""The steps after the pass over the images: the sums of all shards, the measures of a sample, and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bincam.audit.folder import reader
from bincam.audit.folder.reader import Audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import outline_size, outlines
from bincam.audit.pipeline.tests_of_maps.own_maps import measure_specificity
from bincam.audit.pipeline.tests_of_maps.sampled_metrics import measure_sample, storable
from bincam.audit.summary.label_noise import confident_errors
from bincam.audit.summary.summarize import summarise
from bincam.display import counted
from bincam.errors import InputError
from bincam.files import atomic
from bincam.metrics.attention_overlap import AttentionOverlap


def finish(plan: Plan, writer: AuditWriter) -> None:
    """Write the sums over all shards and the measures of a sample, unless they are there; the summary last.

    Raises:
        InputError: No image could be read.
    """
    if not writer.summed:
        _write_parts(plan, writer)
        writer.write_digests()
    writer.write_summary(summary_of(plan, writer.folder))


def summary_of(plan: Plan, folder: Path) -> dict[str, Any]:
    """Make the summary of a measured audit with the settings of a plan."""
    stated = plan.stated
    return summarise(
        reader.open_audit(folder, unfinished=True),
        slice_by=plan.settings.slice_by,
        label_noise=plan.settings.label_noise,
        specificity=stated.specificity,
        sensitivity=stated.sensitivity,
        prevalence=stated.prevalence,
    )


def _write_parts(plan: Plan, writer: AuditWriter) -> None:
    """Write all that is between the last shard and the summary."""
    sums, skipped = writer.read_sums()
    means = {name: sums[name] for spec in plan.methods for name in (f"{spec}.sum", f"{spec}.count") if name in sums}
    if not means:
        raise InputError(
            f"none of the {counted(len(plan.table), 'image')} could be read; first: {next(iter(skipped.values()))}"
        )
    writer.write_tensors(reader.MEANS, means)
    if varied := {name: sums[name] for name in sums if ".without." in name}:
        writer.write_tensors(reader.VARIATION, varied)
    writer.write_tensors(reader.REGIONS, {"regions": _mean_regions(plan, sums)})
    _write_mean_image(plan, writer.folder, sums)
    table = plan.table
    identities = [""] * len(table) if table.identities is None else table.identities.tolist()
    writer.write_images(
        {"image": table.ids, "identity": identities}
        | {f"group.{name}": values.tolist() for name, values in table.groups.items()}
        | {"skipped": [skipped.get(row, "") for row in range(len(table))]}
    )
    writer.write_unmeasured(_unmeasured(plan, sums, skipped))
    audit = reader.open_audit(writer.folder, unfinished=True)
    writer.write_specificity(measure_specificity(audit, plan))
    writer.write_leakage(_leakage(audit))
    writer.write_sample(measure_sample(plan, writer, audit))
    writer.write_relabel(confident_errors(audit))


def _unmeasured(plan: Plan, sums: Mapping[str, Any], skipped: Mapping[int, str]) -> dict[str, Any]:
    """Count what could not be measured, by attribute."""
    single = set(plan.thresholds)

    def counted(values: Any) -> dict[str, int]:
        return {name: int(n) for name, n in zip(plan.names, values, strict=True) if n}

    nan_logits = counted(sums["nan_logits"])
    of_sets: dict[str, Any] = {}
    if plan.one_of:
        nan_logits = {name: n for name, n in nan_logits.items() if name in single}
        undefined = {name: int(sums[f"undefined.{name}"].sum()) for name in plan.one_of}
        of_sets = {"undefined_sets": {name: n for name, n in undefined.items() if n}}

    return {
        "skipped": len(skipped),
        "nan_logits": nan_logits,
        **of_sets,
        "maps_beyond_half_precision": {spec: counted(sums[f"{spec}.beyond"]) for spec in plan.methods},
        "outside_the_crop": {
            source: counted(sums[f"outside.{source}"]) for source in plan.sources if f"outside.{source}" in sums
        },
        "with_a_mask": {
            source: counted(sums[f"known.{source}"]) for source in plan.sources if f"known.{source}" in sums
        },
        "regions_below_a_cell": {
            name.removeprefix("unresolved."): counts
            for name in sums
            if name.startswith("unresolved.") and (counts := counted(sums[name]))
        },
        "notes": [*plan.notes, *_halved(plan)],
    }


def _halved(plan: Plan) -> list[str]:
    """Tell of which methods the passes got fewer images, because memory was too small."""
    return [
        f"{spec}: memory was too small for {plan.batch_size} images in a pass, so that passes have {one.halved_to}"
        for spec, one in plan.explainer_of.items()
        if one.halved_to is not None
    ]


def _leakage(audit: Audit) -> dict[str, Any]:
    """Compute the attention overlap of the primary method's maps, and the correlation of the labels."""
    names = audit.manifest.yes_or_no  # of a set the labels exclude one another, and the evidence is of differences
    if not names:
        return {}
    own = [audit.attributes.index(name) for name in names]
    overlap = AttentionOverlap(names)
    for part, maps in zip(audit.record_parts(["label"]), audit.maps(), strict=True):
        if len(maps):
            labels = part["label"].to_numpy().reshape(-1, len(audit.attributes))[:, own]
            overlap.add(torch.from_numpy(np.asarray(maps[:, own], np.float32)), torch.from_numpy(labels))
    result = overlap.result()
    return {
        "method": audit.methods[0],
        "attributes": list(names),
        "overlap": storable(result.overlap),
        "expected": storable(result.expected),
        "images": storable(result.images),
        "phi": storable(result.phi),
        "labelled": storable(result.labelled),
        "agreement": storable(result.agreement),
    }


def _mean_regions(plan: Plan, sums: Mapping[str, Any]) -> Any:
    """Return the mean region of each attribute ``(A, H', W')``, reduced in size; NaN if no image has one."""
    size = plan.model.card.input_size
    pictures = np.full((len(plan.names), *outline_size(size)), np.nan, np.float16)
    own = slice(len(plan.own_rows))
    if not plan.own_rows:
        return pictures  # the regions of a large set's rows are those of many outputs
    if plan.moving:
        images = sums["known.region"][own, None, None]
        with np.errstate(invalid="ignore"):
            pictures[own] = np.where(images > 0, sums["outline.sum"] / images, np.nan)
    elif plan.regions is not None:
        masks = plan.regions.masks(plan.own_rows, size)
        pictures[own] = outlines(masks, size) / 255
        pictures[[mask is None for mask in masks] + [True] * (len(plan.names) - len(masks))] = np.nan
    return pictures


def _write_mean_image(plan: Plan, folder: Path, sums: Mapping[str, Any]) -> None:
    """Write the mean of the audited images, as the model sees them."""
    from PIL import Image

    card = plan.model.card
    mean, std = (np.asarray(values)[:, None, None] for values in (card.mean, card.std))
    pixels = sums["image.sum"] / sums["image.count"] * std + mean  # (C, H, W) in [0, 1]
    shown = np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    with atomic(folder / reader.MEAN_IMAGE) as part:
        Image.fromarray(shown[..., 0] if shown.shape[2] < 3 else shown[..., :3]).save(part)
