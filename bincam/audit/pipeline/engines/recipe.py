"""What another process, on this machine or on another one, makes the pass of an audit of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bincam.audit.folder.begun import check_same
from bincam.audit.folder.files import MANIFEST
from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline.engines.shards import measure_shards, rows_of
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.prepared import compile_trunk, ordered, with_explainers, without_explainers
from bincam.data.containers.address import exists
from bincam.display import counted
from bincam.engines import Work
from bincam.engines.parts import SharedFolder, carried_out
from bincam.errors import InputError

_SAME = "every machine needs the images under the same path"


@dataclass(frozen=True)
class AuditRecipe:
    """What the pass of an audit is made of; ``of`` makes one.

    Attributes:
        plan: The plan, with its references and without explainers.
        own_rows: True if outputs have rows of their own.
        shared: The audit's folder.
        manifest: Its manifest.
        absent: Rows of images that are not on the machine of the command either, where these may be skipped.
    """

    plan: Plan
    own_rows: bool
    shared: SharedFolder
    manifest: Manifest
    absent: frozenset[int] = frozenset()

    @classmethod
    def of(cls, plan: Plan, writer: AuditWriter, numbers: Sequence[int]) -> AuditRecipe:
        """Make the recipe of a plan with its references, for some shards of the audit that a writer has begun."""
        absent: frozenset[int] = frozenset()
        if plan.settings.on_error == "skip":
            rows = (row for number in numbers for row in rows_of(plan, number))
            absent = frozenset(row for row in rows if not exists(plan.table.path(row)))
        shared = SharedFolder.of(writer.folder, MANIFEST)
        return cls(without_explainers(plan), bool(plan.own_rows), shared, writer.manifest, absent)

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions that the manifest states."""
        return {"bincam": str(self.manifest.version), **self.manifest.versions}

    def open(self) -> Work:
        """Make the plan's explainers, and see that the audit begun is what this machine would begin.

        Raises:
            InputError: The machine does not see the audit's folder, or its masks or its device are others.
        """
        folder = self.shared.open()
        # The weights stay in this order: the process does nothing else.
        kept = ExitStack()
        kept.enter_context(ordered(self.plan.model))
        plan = with_explainers(self.plan, own_rows=self.own_rows)
        compile_trunk(plan)
        check_same(folder, plan.manifest)
        return _Pass(plan, AuditWriter(folder, self.manifest), self.shared, self.absent, kept)


@dataclass(frozen=True)
class _Pass:
    plan: Plan
    writer: AuditWriter
    shared: SharedFolder
    absent: frozenset[int]
    kept: ExitStack

    def __call__(self, numbers: Sequence[int]) -> Iterator[int]:
        writer = self.writer
        yield from carried_out(
            numbers, writer.has_shard, lambda number: writer.state(f"begun-{number:05d}"), self._measure
        )

    def _measure(self, missing: Sequence[int]) -> Iterator[int]:
        first = rows_of(self.plan, missing[0]).start
        if self.plan.settings.on_error == "raise" and not exists(self.plan.table.path(first)):
            raise InputError(f"{self.plan.table.path(first)}: no such image there; {_SAME}")
        yield from measure_shards(self.plan, self.writer, missing, check=self._check)

    def _check(self, shard: Shard) -> None:
        """Refuse a shard that lacks images of another machine, or one of an audit that is no longer in the folder."""
        lacking = [row for row in shard.skipped if row not in self.absent and not exists(self.plan.table.path(row))]
        if lacking:
            raise InputError(
                f"{self.plan.table.path(lacking[0])}: no such image there, nor {counted(len(lacking) - 1, 'other')} "
                f"of the same shard; {_SAME}"
            )
        check_same(self.shared.refreshed(self.writer.folder), self.writer.manifest)
