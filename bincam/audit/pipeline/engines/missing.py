"""The pass over the images whose shards are missing, in this process or by an engine; both measure in the same way."""

from __future__ import annotations

from typing import Any

from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.engines.recipe import AuditRecipe
from bincam.audit.pipeline.engines.shards import measure_shards, rows_of
from bincam.audit.pipeline.plan import Plan
from bincam.display import counted
from bincam.engines import Crew
from bincam.errors import InputError
from bincam.progress import track


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
    shown: Any = {"total": images, "unit": "images", "before": before}
    measured = crew.carry_out(AuditRecipe.of(plan, writer, missing), missing)
    for _ in track(measured, "audit", amount=lambda number: len(rows_of(plan, number)), **shown):
        pass
    if left := writer.missing:
        raise InputError(
            f"{writer.folder}: {counted(len(left), 'shard')} cannot be seen from here, though other machines have "
            "written all; let the folder be on a file system that all machines share, and run the same with --resume"
        )
