"""The pass over the images in this process, one shard after the other."""

from __future__ import annotations

from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.shard import ImageStream, measure_shard


def measure_missing(plan: Plan, writer: AuditWriter) -> None:
    """Measure and write the shards that are missing, from the first missing one on.

    Each shard is written as soon as it is measured, so that an interrupted pass repeats one shard at most.

    Args:
        plan: The plan, with its references.
        writer: Of the audit that was begun with the plan's manifest.

    Raises:
        InputError: An image cannot be read, and the settings do not say to skip it.
    """
    size, images = plan.shard_images, len(plan.table)
    first = writer.next_shard * size
    if first >= images:
        return
    # One stream for all shards: processes that read are started once, and read ahead across the shards' borders.
    stream = ImageStream(plan, range(first, images), progress="audit", before=first)
    for start in range(first, images, size):
        shard = measure_shard(plan, range(start, min(start + size, images)), stream)
        writer.write_shard(start // size, shard)
