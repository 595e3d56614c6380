"""The measurement of one shard, a run of consecutive images; every engine carries out the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bincam.audit.folder.schema import measure_columns
from bincam.audit.folder.writer import Shard
from bincam.audit.pipeline.measure import ShardBuilder, empty_shard, measure
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import MaskProjector
from bincam.audit.pipeline.references import variation_sums
from bincam.data import Batch
from bincam.progress import track


class ImageStream:
    """Reads a run of a plan's images once, batch by batch, so that several shards share the processes that read."""

    def __init__(self, plan: Plan, rows: range, *, progress: str = "") -> None:
        """Prepare to read.

        Args:
            plan: The plan.
            rows: Consecutive rows of its table, from the beginning of a batch on.
            progress: Label of a progress bar; no bar without one.
        """
        self._first = rows.start
        table = plan.table.take(np.arange(rows.start, rows.stop))
        grids = tuple(dict.fromkeys(plan.grids.values()))
        outlined = "region" if plan.moving else None
        masks = MaskProjector(table, plan.model.card.input_size, grids, plan.sources, outlined)
        self._loader = plan.loader(table, also=masks if plan.sources else None)
        self._batches = iter(self._loader)
        if progress:
            self._batches = track(self._loader, progress, total=len(rows), unit="images", amount=count_images)
        self._waiting: Batch | None = None
        self._started = False

    def take(self, rows: range) -> Iterator[Batch]:
        """Yield the batches of the next rows, with their rows in the plan's table.

        Images that cannot be read are in no batch; rows of which no image can be read have no batch. All batches must
        be used up before further rows are taken.
        """
        if not self._started:
            self._started, self._waiting = True, next(self._batches, None)
        while self._waiting is not None and int(self._waiting.rows[0]) + self._first in rows:
            yield replace(self._waiting, rows=self._waiting.rows + self._first)
            self._waiting = next(self._batches, None)

    def skipped(self, rows: range) -> dict[int, str]:
        """The rows that could not be read, with the reason, among rows that have been taken."""
        reasons = {image.row + self._first: image.reason for image in self._loader.skipped}
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
    builder = ShardBuilder()
    for batch in stream.take(rows):
        explanations = {
            spec: explainer(batch.images, plan.settings.side, batch.labels)
            for spec, explainer in plan.explainers.items()
        }
        columns, maps = measure(explanations, batch.labels, batch.rows, batch.also, plan.measure_inputs)
        builder.add(columns, maps, batch.images, batch.also)
        first = next(iter(explanations.values()))
        builder.add_sums(variation_sums(first, batch.labels, plan.measure_inputs.references))
    skipped = stream.skipped(rows)
    if builder.columns:
        return builder.shard(skipped)
    columns_of_measures = measure_columns(tuple(plan.explainers), plan.masks)
    return empty_shard(columns_of_measures, len(plan.table.names), plan.grids, skipped)


def count_images(batch: Batch) -> int:
    """Count the images of a batch, including those that could not be read."""
    return len(batch) + len(batch.skipped)
