"""The audit: one pass over the images, shard by shard, that can be killed at any time and gone on with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bincam.audit import provenance, shards, store
from bincam.audit.columns import measure_columns
from bincam.audit.places import Grid, Places, hits, outline_size, outlines, projected
from bincam.audit.plan import Plan, make_plan
from bincam.audit.records import Gathering, Ruler, empty_shard, measure, ones
from bincam.audit.references import fit_references, load_references, save_references
from bincam.audit.settings import Settings
from bincam.audit.store import Audit
from bincam.cam import Explainer, Reference
from bincam.data import AttributeTable, Batch, Loader, load, loader
from bincam.errors import InputError
from bincam.files import atomic, read_json, write_json
from bincam.models import AttributeClassifier, open_model
from bincam.models.borrow import own_rng
from bincam.progress import track

FINDINGS = "findings.json"


def run(
    model: AttributeClassifier | str | os.PathLike[str],
    data: AttributeTable | str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    resume: bool = False,
    source: str | None = None,
) -> Audit:
    """Audit a model on a data set.

    Args:
        model: A classifier with a card, a model's folder, or a timm name.
        data: A table, or what ``bincam.data.load`` reads.
        out: The audit's folder: new or empty, unless ``resume``.
        settings: What to audit, and how.
        resume: Go on with an audit that was cut short, or give back a whole one. The bytes are those of an audit that
            was never cut short (same machine, threads and versions).
        source: What to call the model in the manifest; its path or the name in its card by default.

    Returns:
        The audit.

    Raises:
        InputError: Model and data do not fit together, a setting makes no sense, an image cannot be read, or ``out``
            holds something else.
        UnsupportedError: A method cannot answer this question about this model.
    """
    folder = Path(out)
    shards.check_free(folder, resume=resume)  # before anything that takes time
    opened = model if isinstance(model, AttributeClassifier) else open_model(os.fspath(model))
    table = data if isinstance(data, AttributeTable) else load(data)
    plan = make_plan(opened, table, settings or Settings(), source=source or _called(model, opened))
    return carry_out(plan, folder, resume=resume)


def carry_out(plan: Plan, folder: Path, *, resume: bool = False) -> Audit:
    """Do what was planned, from the first shard on that is not whole yet; see ``run``."""
    shards.check_free(folder, resume=resume)
    with own_rng(torch.device(plan.settings.device)):  # torch's loader draws a number, even where nothing is shuffled
        references = _references(plan, folder)
        manifest = dict(plan.facts) | {"references": {kind: held.digest for kind, held in references.items()}}
        manifest["settings_digest"] = provenance.settings_digest(manifest)
        shards.begin(folder, manifest)
        if not (folder / store.SUMMARY).is_file():
            _pass(plan, folder, manifest, references)
            _finish(plan, folder, manifest)
    return store.open_audit(folder)


def _called(given: AttributeClassifier | str | os.PathLike[str], model: AttributeClassifier) -> str:
    return model.card.name if isinstance(given, AttributeClassifier) else os.fspath(given)


def _loader(plan: Plan, table: AttributeTable, **options: Any) -> Loader:
    settings = plan.settings
    return loader(
        table,
        card=plan.model.card,
        batch_size=settings.batch_size,
        workers=settings.workers,
        on_error=settings.on_error,
        pin_memory=torch.device(settings.device).type == "cuda",
        **options,
    )


def _references(plan: Plan, folder: Path) -> dict[str, Reference]:
    """The fitted references: those that an interrupted audit left, or new ones."""
    if plan.reference_table is None:
        return {}
    if (found := load_references(folder)) is not None and (folder / store.MANIFEST).is_file():
        return found
    first = next(iter(plan.explainers.values()))
    thresholds = dict(zip(first.selection.attributes, first.selection.thresholds.tolist(), strict=True))
    explainer = Explainer(
        plan.model, first.selection.attributes, method="cam", threshold=thresholds, precision=plan.settings.precision
    )
    batches = _loader(plan, plan.reference_table)
    images = len(plan.reference_table)
    told = track(batches, "references", total=images, unit="images", amount=_amount)
    references = fit_references(explainer, ((batch.images, batch.labels) for batch in told))
    save_references(folder, references)
    return references


def _amount(batch: Batch) -> int:
    return len(batch) + len(batch.skipped)


def _pass(plan: Plan, folder: Path, manifest: Mapping[str, Any], references: Mapping[str, Reference]) -> None:
    """Measure the shards that are missing."""
    size, total = manifest["shard_images"], len(plan.table)
    done = store.whole_shards(folder, manifest)
    first = done * size
    if first >= total:
        return
    rest = plan.table.take(np.arange(first, total))
    grids = tuple(dict.fromkeys(plan.grids.values()))
    also = (
        Places(rest, plan.model.card.input_size, grids, plan.sources, "region" if plan.moving else None)
        if plan.sources
        else None
    )
    batches = _loader(plan, rest, also=also)
    ruler = _ruler(plan, grids, references)
    told = track(batches, "audit", total=total - first, unit="images", amount=_amount)
    for number, shard in _by_shard(told, store.shard_count(manifest), done, size, first):
        gathering = Gathering()
        for batch in shard:
            rows = batch.rows + first
            explanations = {
                spec: explainer(batch.images, plan.settings.side, batch.labels)
                for spec, explainer in plan.explainers.items()
            }
            columns, maps = measure(explanations, batch.labels, rows, batch.also, ruler)
            gathering.add(columns, maps, batch.images, batch.also)
        skipped = {s.row + first: s.reason for s in batches.skipped if (s.row + first) // size == number}
        shards.write_shard(
            folder,
            manifest,
            number,
            gathering.shard(skipped)
            if gathering.columns
            else empty_shard(
                measure_columns(manifest["methods"], plan.masks), len(plan.table.names), plan.grids, skipped
            ),
        )


def _by_shard(
    batches: Iterable[Batch], count: int, done: int, size: int, first: int
) -> Iterator[tuple[int, Iterator[Batch]]]:
    """Cut a stream of batches into shards; a shard of which nothing could be read has no batch.

    Each shard's batches must be used up before the next shard is asked for.
    """
    stream = iter(batches)
    waiting = next(stream, None)

    def of(number: int) -> Iterator[Batch]:
        nonlocal waiting
        while waiting is not None and (int(waiting.rows[0]) + first) // size == number:
            yield waiting
            waiting = next(stream, None)

    for number in range(done, count):
        yield number, of(number)


def _ruler(plan: Plan, grids: tuple[Grid, ...], references: Mapping[str, Reference]) -> Ruler:
    size = plan.model.card.input_size
    weights: dict[Grid, Tensor] | None = None
    hit: dict[Grid, Tensor] | None = None
    if not plan.moving:
        nothing: list[Any] = [None] * len(plan.table.names)
        masks = nothing if plan.regions is None else plan.regions.masks(plan.table.names, size)
        weights = {grid: torch.from_numpy(projected(masks, grid)) for grid in grids}
        hit = {grid: torch.from_numpy(hits(masks, grid)) for grid in grids}
    return Ruler(references, plan.masks, weights, hit, {grid: ones(grid, size) for grid in grids}, size)


def _finish(plan: Plan, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Everything that the shards add up to; the summary last."""
    from bincam.audit.summary import summarise

    sums, skipped = shards.read_sums(folder, manifest)
    means = {name: sums[name] for spec in plan.explainers for name in (f"{spec}.sum", f"{spec}.count") if name in sums}
    if not means:
        raise InputError(f"none of the {len(plan.table)} images could be read; first: {next(iter(skipped.values()))}")
    shards.write_tensors(folder, store.MEANS, means)
    shards.write_tensors(folder, store.REGIONS, {"regions": _region_pictures(plan, sums)})
    _write_mean_image(plan, folder, sums)
    table = plan.table
    identities = [""] * len(table) if table.identities is None else table.identities.tolist()
    shards.write_images(
        folder,
        {"image": table.ids, "identity": identities}
        | {f"group.{name}": values.tolist() for name, values in table.groups.items()}
        | {"skipped": [skipped.get(row, "") for row in range(len(table))]},
    )
    write_json(folder / FINDINGS, _findings(plan, sums, skipped))
    summary = summarise(store.open_audit(folder, unfinished=True))
    shards.write_summary(folder, summary)


def read_findings(folder: Path) -> dict[str, Any]:
    """What could not be measured in a whole audit: see ``_findings``."""
    return read_json(folder / FINDINGS, kind="bincam-findings", schema=1)


def _findings(plan: Plan, sums: Mapping[str, Any], skipped: Mapping[int, str]) -> dict[str, Any]:
    """What could not be measured, counted and named."""
    names = plan.table.names

    def counted(values: Any) -> dict[str, int]:
        return {name: int(n) for name, n in zip(names, values, strict=True) if n}

    return {
        "kind": "bincam-findings",
        "schema": 1,
        "skipped": len(skipped),
        "nan_logits": counted(sums["nan_logits"]),
        "outside_the_crop": {
            source: counted(sums[f"outside.{source}"]) for source in plan.sources if f"outside.{source}" in sums
        },
        "with_a_mask": {
            source: counted(sums[f"known.{source}"]) for source in plan.sources if f"known.{source}" in sums
        },
        "notes": list(plan.notes),
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
    with atomic(folder / store.MEAN_IMAGE) as part:
        Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown).save(part)
