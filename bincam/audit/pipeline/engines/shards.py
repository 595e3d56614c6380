"""The measurement of some shards of an audit in one process, which every engine has carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.shard import ImageStream, measure_shard


def rows_of(plan: Plan, number: int) -> range:
    """The rows of a shard in a plan's table."""
    first = number * plan.shard_images
    return range(first, min(first + plan.shard_images, len(plan.table)))


def measure_shards(
    plan: Plan,
    writer: AuditWriter,
    numbers: Sequence[int],
    *,
    progress: str = "",
    before: int = 0,
    check: Callable[[Shard], None] | None = None,
) -> Iterator[int]:
    """Measure shards and write each; yield its number then.

    Args:
        plan: The plan, with its references.
        writer: Of the audit that was begun with the plan's manifest.
        numbers: The shards, in order.
        progress: Label of a progress bar; no bar without one.
        before: Images that an earlier run had measured.
        check: Called with each shard before it is written.

    Raises:
        InputError: An image cannot be read, and the settings do not say to skip it.
    """
    rows = [np.arange(own.start, own.stop) for own in (rows_of(plan, number) for number in numbers)]
    # One stream for all shards: processes that read are started once, and read ahead across the shards' borders.
    stream = ImageStream(plan, np.concatenate(rows), progress=progress, before=before)
    for number in numbers:
        shard = measure_shard(plan, rows_of(plan, number), stream)
        if check is not None:
            check(shard)
        writer.write_shard(number, shard)
        yield number
