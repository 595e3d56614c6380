"""What another process, on this machine or on another one, makes the pass of a zoom study of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bincam._version import __version__
from bincam.engines import Work
from bincam.engines.tries import limited_tries
from bincam.errors import InputError
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
        batch_size: Views per forward pass.
    """

    subject: Subject
    plan: Plan
    study: StudyFolder
    batch_size: int

    @classmethod
    def of(cls, subject: Subject, plan: Plan, study: StudyFolder, batch_size: int) -> ZoomRecipe:
        """Make the recipe of a study that was begun."""
        begun = replace(study, folder=study.folder.absolute(), lock=None)
        return cls(replace(subject, audit=None), plan, begun, batch_size)

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions here: those that an audit's manifest states, and bincam's."""
        return {"bincam": __version__, **versions()}

    def open(self) -> Work:
        """See that the machine sees the study's folder.

        Raises:
            InputError: It does not.
        """
        file = self.study.folder / STUDY
        if not file.is_file():
            raise InputError(
                f"{file}: no such file there; the study's folder must be on a file system that all machines share"
            )
        return self._look

    def _look(self, numbers: Sequence[int]) -> Iterator[int]:
        folder = self.study.folder
        found = [number for number in numbers if shard_file(folder, number).is_file()]  # by a process lost after it
        yield from found
        missing = [number for number in numbers if number not in found]
        if not missing:
            return
        # A name that whoever takes the folder next clears away.
        with limited_tries(shard_file(folder, 0).parent / f".begun-{missing[0]:08d}"):
            yield from look_at_shards(
                *(self.subject, self.plan, folder, missing),
                study=self.study.digest,
                batch_size=self.batch_size,
                check=self.study.check_same,
            )
