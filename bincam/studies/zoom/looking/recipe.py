"""What another process, on this machine or on another one, makes the pass of a zoom study of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bincam._version import __version__
from bincam.engines import Work
from bincam.engines.parts import SharedFolder, carried_out
from bincam.inference.zoom.plan import Plan
from bincam.provenance import versions
from bincam.studies.folder import StudyFolder
from bincam.studies.seal import STUDY
from bincam.studies.zoom.looking.shards import look_at_shards
from bincam.studies.zoom.subject import Subject
from bincam.studies.zoom.view_shard import shard_file


@dataclass(frozen=True)
class ZoomRecipe:
    """What the pass of a study is made of; ``of`` makes one.

    Attributes:
        subject: Model, images and questions, without the audit.
        plan: The views.
        study: The study that was begun, without its lock.
        shared: Its folder.
        batch_size: Views per forward pass.
    """

    subject: Subject
    plan: Plan
    study: StudyFolder
    shared: SharedFolder
    batch_size: int

    @classmethod
    def of(cls, subject: Subject, plan: Plan, study: StudyFolder, batch_size: int) -> ZoomRecipe:
        """Make the recipe of a study that was begun."""
        shared = SharedFolder.of(study.folder, STUDY)
        return cls(replace(subject, audit=None), plan, replace(study, lock=None), shared, batch_size)

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions here: those that an audit's manifest states, and bincam's."""
        return {"bincam": __version__, **versions()}

    def open(self) -> Work:
        """See that the machine sees the study's folder.

        Raises:
            InputError: It does not.
        """
        return _Pass(self, replace(self.study, folder=self.shared.open()))


@dataclass(frozen=True)
class _Pass:
    recipe: ZoomRecipe
    study: StudyFolder

    def __call__(self, numbers: Sequence[int]) -> Iterator[int]:
        folder = self.study.folder
        yield from carried_out(
            numbers,
            lambda number: shard_file(folder, number).is_file(),
            # A name that whoever takes the folder next clears away.
            lambda number: shard_file(folder, 0).parent / f".begun-{number:08d}",
            self._look,
        )

    def _look(self, missing: Sequence[int]) -> Iterator[int]:
        yield from look_at_shards(
            *(self.recipe.subject, self.recipe.plan, self.study.folder, missing),
            study=self.study.digest,
            batch_size=self.recipe.batch_size,
            check=self._check,
        )

    def _check(self) -> None:
        self.recipe.shared.refreshed(self.study.folder)
        self.study.check_same()
