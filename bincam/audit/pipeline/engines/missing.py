"""The pass over the images whose shards are missing, in this process or by an engine; both measure in the same way."""

from __future__ import annotations

from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.engines.recipe import AuditRecipe
from bincam.audit.pipeline.engines.shards import measure_shards, rows_of
from bincam.audit.pipeline.plan import Plan
from bincam.engines import Crew
from bincam.engines.parts import hand_out


def measure_missing(plan: Plan, writer: AuditWriter, crew: Crew | None = None) -> None:
    """Measure and write the shards that are missing.

    Each shard is written as soon as it is measured, so that an interrupted pass repeats one shard at most, or one for
    each process.

    Args:
        plan: The plan, with its references.
        writer: Of the audit that was begun with the plan's manifest.
        crew: Processes that measure; None measures in this one.

    Raises:
        InputError: An image cannot be read, and the settings do not say to skip it; or a machine lacks something.
    """
    missing = writer.missing
    if not missing:
        return
    images = sum(len(rows_of(plan, number)) for number in missing)
    before = len(plan.table) - images
    if crew is None:
        for _ in measure_shards(plan, writer, missing, progress="audit", before=before):
            pass
        return
    hand_out(
        crew,
        AuditRecipe.of(plan, writer, missing),
        writer.folder,
        lambda: writer.missing,
        lambda number: len(rows_of(plan, number)),
        label="audit",
        before=before,
    )
