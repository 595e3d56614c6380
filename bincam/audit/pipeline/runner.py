"""The audit: one pass over the images, shard by shard, that can be killed at any time and gone on with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bincam import provenance
from bincam.audit.folder import reader, writer
from bincam.audit.folder.reader import Audit
from bincam.audit.folder.schema import measure_columns
from bincam.audit.pipeline.aggregate import finish
from bincam.audit.pipeline.measure import Gathering, Ruler, empty_shard, measure, ones
from bincam.audit.pipeline.plan import Plan, make_plan
from bincam.audit.pipeline.projected_masks import Grid, Places, hits, projected
from bincam.audit.pipeline.references import fit_references, load_references, save_references
from bincam.audit.settings import Settings
from bincam.cam import Explainer, Reference
from bincam.data import AttributeTable, Batch, load
from bincam.models import AttributeClassifier, open_model
from bincam.models.borrow import channels_last, own_rng
from bincam.progress import track


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
    writer.check_free(folder, resume=resume)  # before anything that takes time
    opened = model if isinstance(model, AttributeClassifier) else open_model(os.fspath(model))
    table = data if isinstance(data, AttributeTable) else load(data)
    plan = make_plan(opened, table, settings or Settings(), source=source or _called(model, opened))
    return carry_out(plan, folder, resume=resume)


def carry_out(plan: Plan, folder: Path, *, resume: bool = False) -> Audit:
    """Do what was planned, from the first shard on that is not whole yet; see ``run``."""
    writer.check_free(folder, resume=resume)
    # The random state is borrowed because torch's loader draws a number, even where nothing is shuffled.
    with own_rng(torch.device(plan.settings.device)), channels_last(plan.model):
        references = _references(plan, folder)
        manifest = dict(plan.facts) | {"references": {kind: held.digest for kind, held in references.items()}}
        manifest["settings_digest"] = provenance.settings_digest(manifest)
        writer.begin(folder, manifest)
        if not (folder / reader.SUMMARY).is_file():
            _pass(plan, folder, manifest, references)
            finish(plan, folder, manifest)
    return reader.open_audit(folder)


def _called(given: AttributeClassifier | str | os.PathLike[str], model: AttributeClassifier) -> str:
    return model.card.name if isinstance(given, AttributeClassifier) else os.fspath(given)


def _references(plan: Plan, folder: Path) -> dict[str, Reference]:
    """The fitted references: those that an interrupted audit left, or new ones."""
    if plan.reference_table is None:
        return {}
    if (found := load_references(folder)) is not None and (folder / reader.MANIFEST).is_file():
        return found
    first = next(iter(plan.explainers.values()))
    thresholds = dict(zip(first.selection.attributes, first.selection.thresholds.tolist(), strict=True))
    explainer = Explainer(
        plan.model, first.selection.attributes, method="cam", threshold=thresholds, precision=plan.settings.precision
    )
    batches = plan.loader(plan.reference_table)
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
    done = reader.whole_shards(folder, manifest)
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
    batches = plan.loader(rest, also=also)
    ruler = _ruler(plan, grids, references)
    told = track(batches, "audit", total=total - first, unit="images", amount=_amount)
    for number, shard in _by_shard(told, reader.shard_count(manifest), done, size, first):
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
        writer.write_shard(
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
