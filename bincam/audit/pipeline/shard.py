"""The measurement of one shard, a run of consecutive images; every engine carries out the same one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.schema import measure_columns
from bincam.audit.pipeline.cells.columns import CellBuilder
from bincam.audit.pipeline.measure import Columns, ShardBuilder, empty_shard, measure
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.references import variation_sums
from bincam.audit.pipeline.sets.decisions import decide_rows, predictions, set_scores
from bincam.audit.pipeline.sets.masks import own_masks
from bincam.audit.pipeline.sets.second_head import second_head_logits
from bincam.data import Batch
from bincam.progress import track


class ImageStream:
    """Reads some of a plan's images once, batch by batch, so that several shards share the processes that read."""

    def __init__(self, plan: Plan, rows: range | NDArray[np.int64], *, progress: str = "", before: int = 0) -> None:
        """Prepare to read.

        Args:
            plan: The plan.
            rows: Rows of its table in their order: whole batches, apart from the table's last one.
            progress: Label of a progress bar; no bar without one.
            before: Images that an earlier run had measured.
        """
        self._rows = np.asarray(rows, np.int64)
        self._loader = plan.loader(plan.table.take(self._rows), also=plan.read_also(self._rows))
        self._batches = iter(self._loader)
        if progress:
            shown: Any = {"total": len(rows), "unit": "images", "amount": count_images, "before": before}
            self._batches = track(self._loader, progress, **shown)
        self._waiting: Batch | None = None
        self._started = False

    def take(self, rows: range) -> Iterator[Batch]:
        """Yield the batches of the next rows, with their rows in the plan's table.

        Images that cannot be read are in no batch; rows of which no image can be read have no batch. All batches must
        be used up before further rows are taken.
        """
        if not self._started:
            self._started, self._waiting = True, next(self._batches, None)
        while self._waiting is not None:
            own = self._rows[self._waiting.rows.numpy()]
            if int(own[0]) not in rows:
                return
            yield replace(self._waiting, rows=torch.from_numpy(own))
            self._waiting = next(self._batches, None)

    def skipped(self, rows: range) -> dict[int, str]:
        """The rows that could not be read, with the reason, among rows that have been taken."""
        reasons = {int(self._rows[image.row]): image.reason for image in self._loader.skipped}
        return {row: reason for row, reason in reasons.items() if row in rows}


def measure_shard(plan: Plan, rows: range, stream: ImageStream | None = None) -> Shard:
    """Measure the images of a shard.

    Args:
        plan: The plan, with its references.
        rows: Rows of the plan's table: the shard's, from the beginning of a batch on.
        stream: Where to read the images; by default they are read by processes of their own, which costs their start.

    Returns:
        The measurements; a shard of which no image could be read has no rows.

    Raises:
        InputError: An image cannot be read, and the settings do not say to skip it.
    """
    stream = stream or ImageStream(plan, rows)
    builder, cells = ShardBuilder(), None if plan.cells is None else CellBuilder(plan)
    with ExitStack() as held:
        for explainer in plan.explainer_of.values():
            held.enter_context(explainer.held())
        for batch in stream.take(rows):
            columns, maps, drawn, of_sets = measure_batch(plan, batch, builder, cells)
            builder.add(columns, maps, batch.images, drawn)
            if plan.boxes is not None:
                builder.boxes.append(plan.boxes.measure(maps[plan.methods[0]], columns["side"], batch.also, batch.rows))
            if of_sets is not None:
                builder.add_scores(of_sets, plan.one_of)
    shard = _joined(plan, builder, stream.skipped(rows))
    return shard if cells is None else cells.joined(shard)


def _joined(plan: Plan, builder: ShardBuilder, skipped: Mapping[int, str]) -> Shard:
    """Join the batches to a shard; one without rows if no image could be read."""
    if builder.columns:
        return builder.shard(skipped)
    columns_of_measures = measure_columns(plan.methods, plan.masks, sets=bool(plan.one_of))
    scored = sum(len(members) for members in plan.one_of.values())
    empty = empty_shard(columns_of_measures, len(plan.names), plan.grids, skipped, scored, second_head=plan.second_head)
    return empty if plan.boxes is None else replace(empty, boxes=plan.boxes.nothing)


def measure_batch(
    plan: Plan, batch: Batch, builder: ShardBuilder, cells: CellBuilder | None = None
) -> tuple[Columns, dict[str, Tensor], dict[str, Tensor], NDArray[np.float32] | None]:
    """Explain and measure a batch; the builder gets sums of the references' variation, and what a second head says.

    Args:
        plan: The plan, with its references.
        batch: Images, with their rows in the plan's table.
        builder: Of the shard.
        cells: Collects the prediction grids; None where they are not measured.

    Returns:
        The columns of the records and the maps by method, see ``measure``; the masks that differ from image to image,
        ``(B, rows, h, w)``; and the raw scores of the sets ``(B, outputs of all sets)``, None without sets.
    """
    images, batch = plan.viewed(batch)
    if plan.second_head:
        builder.set_scores.append(second_head_logits(plan.model, images, plan.one_of, plan.batch_size))
    drawn = own_masks(batch.also)
    variation: list[Mapping[str, Tensor]] = []
    parts: list[tuple[Columns, dict[str, Tensor]]] = []
    scores: NDArray[np.float32] | None = None
    predicted: Mapping[str, NDArray[np.int64]] = {}
    if plan.explainers:
        explanations = {
            spec: plan.counted(spec, explainer(images, plan.settings.side, batch.labels))
            for spec, explainer in plan.explainers.items()
        }
        first, decided = next(iter(explanations.values())), None
        if any(first.sets):
            scores = set_scores(first, plan.set_columns)
            predicted = predictions(scores, plan.one_of)
        if plan.one_of:
            decided = decide_rows(first, predicted, plan.one_of)
        inputs = plan.measure_inputs
        parts.append(measure(explanations, batch.labels, batch.rows, batch.also, inputs, decided))
        variation.append(variation_sums(first, batch.labels, inputs.references, decided))
        if cells is not None:
            cells.add(first, batch.labels, batch.rows, batch.also)
    if plan.large:
        side, rows = plan.settings.side, batch.rows.numpy()
        explanations = {spec: plan.large.explain(spec, images, side, batch.rows) for spec in plan.methods}
        first = next(iter(explanations.values()))
        if scores is None:
            scores = set_scores(first, plan.set_columns)
            predicted = predictions(scores, plan.one_of)
        labels = torch.from_numpy(plan.large.labels(predicted, rows))
        decided = plan.large.decide(predicted, rows)
        masks, inputs = plan.row_masks.drawn(batch, predicted), plan.large_inputs
        parts.append(measure(explanations, labels, batch.rows, masks, inputs, decided))
        variation.append(variation_sums(first, labels, inputs.references, decided))
        differing = {name: values for name, values in masks.items() if name.partition("@")[0] in plan.sources}
        drawn |= {n: torch.cat([drawn[n], v], 1) if n in drawn else v for n, v in differing.items()}
    builder.add_sums(_stacked(variation, len(plan.large.names) if plan.large else 0))
    columns, maps = _side_by_side(parts)
    if plan.large:
        own = np.broadcast_to(np.arange(len(plan.own_rows)), (len(batch), len(plan.own_rows)))
        of_large = plan.large.outputs(predicted, batch.rows.numpy(), plan.output_names)
        columns["output"] = torch.from_numpy(np.concatenate([own, of_large], 1))
    return columns, maps, drawn, scores


def _side_by_side(parts: Sequence[tuple[Columns, dict[str, Tensor]]]) -> tuple[Columns, dict[str, Tensor]]:
    """Join the columns of the same images and several rows each."""
    columns, maps = parts[0]
    for further_columns, further_maps in parts[1:]:
        columns = {
            name: value if name == "row" else torch.cat([value, further_columns[name]], 1)
            for name, value in columns.items()
        }
        maps = {spec: torch.cat([value, further_maps[spec]], 1) for spec, value in maps.items()}
    return columns, maps


def _stacked(parts: Sequence[Mapping[str, Tensor]], large: int) -> dict[str, Tensor]:
    """Join the sums ``(rows, ...)`` of the rows of own outputs and of large sets, which may be without references."""
    result = dict(parts[0])
    for further in parts[1:]:
        for name, value in result.items():
            result[name] = torch.cat([value, further.get(name, value.new_zeros(large, *value.shape[1:]))])
    return result


def count_images(batch: Batch) -> int:
    """Count the images of a batch, including those that could not be read."""
    return len(batch) + len(batch.skipped)
