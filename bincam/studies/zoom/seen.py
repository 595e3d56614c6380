"""A zoom study on disk: answers of every question at every view, read shard by shard."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.audit import Audit
from bincam.audit.folder.stored import read_table
from bincam.errors import InputError, nearest
from bincam.files import atomic
from bincam.inference.zoom.geometry import Places, places_of
from bincam.inference.zoom.plan import Plan, view_plan
from bincam.stats.clusters import Clusters
from bincam.stats.framing.answers import Codes, Ints
from bincam.studies.folder import StudyFolder, study_folder
from bincam.studies.zoom.question import Question
from bincam.studies.zoom.view_shard import ViewShard, shard_file, shard_images

if TYPE_CHECKING:
    import pandas as pd

    from bincam.studies.zoom.subject import Subject

NAME = "zoom"
IMAGES = "images.parquet"


@dataclass(frozen=True)
class SeenViews:
    """What a model says of N images at V views.

    Attributes:
        study: The study's folder.
        plan: The plan of V views.
        questions: The Q questions.

    Example:
        ``run_zoom`` and ``open_zoom`` return one.
    """

    study: StudyFolder
    plan: Plan
    questions: tuple[Question, ...]

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.study.folder

    @property
    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``."""
        return self.study.summary

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row per image: its name in the data set, its person, and the folder that the names are relative to."""
        file = self.folder / IMAGES
        frame: pd.DataFrame = read_table(file).to_pandas()
        for name in ("image", "identity", "root"):
            if name not in frame or not all(isinstance(value, str) for value in frame[name]):
                raise InputError(f"{file}: no texts in column {name!r}; remove {self.folder} and make the study again")
        return frame

    @property
    def clusters(self) -> Clusters:
        """Clusters of the N images."""
        return Clusters.of(self.images["identity"].astype(str))

    def shards(self) -> Iterator[ViewShard]:
        """Read the shards in order.

        Raises:
            InputError: One is missing or broken, or has other images or views than the study states.
        """
        count, size = len(self.images), shard_images(len(self.plan))
        for number in range(-(-count // size)):
            shard = ViewShard.read(shard_file(self.folder, number), self.study.digest)
            expected = (min(size, count - number * size), len(self.plan), len(self.questions))
            if shard.right.shape != expected:
                raise InputError(
                    f"{shard_file(self.folder, number)}: (images, views, questions) are {shard.right.shape}, expected "
                    f"{expected}; remove the study's folder and make it again"
                )
            yield shard

    def shard_of(self, row: int) -> tuple[ViewShard, int]:
        """Read the shard of one image, and return it with the image's place in it."""
        number, place = divmod(row, shard_images(len(self.plan)))
        return ViewShard.read(shard_file(self.folder, number), self.study.digest), place

    @cached_property
    def places(self) -> Places:
        """Where the views lie in the images."""
        return places_of(self.plan, self._read.sizes)

    def question(self, name: str) -> Question:
        """Return a question by its name.

        Raises:
            InputError: There is none of that name.
        """
        names = [question.name for question in self.questions]
        if name not in names:
            raise InputError(f"{self.folder}: the study has no {name!r}{nearest(name, names)}")
        return self.questions[names.index(name)]

    def answers(self, name: str) -> tuple[Codes, Ints]:
        """Return the answers ``(N, V)`` and the true answers ``(N,)`` of a question; -1 where there is none."""
        answers, true, _ = self._read.questions[self.question(name).name]
        return answers, true

    def own_answers(self, name: str) -> Codes:
        """Return the answers ``(N,)`` at the model's own crop."""
        return self._read.questions[self.question(name).name][2]

    def centres(self, name: str) -> NDArray[np.float32] | None:
        """Return x and y ``(N, 2)`` of each image's object, of a set of the true output's; None where none is known."""
        columns, (_, true) = list(self.question(name).columns), self.answers(name)
        at = self._read.centres[:, columns]
        of_true = at[np.arange(len(at)), np.where(true < 0, 0, true) if len(columns) > 1 else 0]
        known: NDArray[np.float32] = np.where((true >= 0)[:, None], of_true, np.nan)
        return known if np.isfinite(known).any() else None

    @property
    def undefined_views(self) -> dict[str, int]:
        """Number of views without an answer, of each question that has some, labelled or not."""
        counts = {name: int((answers < 0).sum()) for name, (answers, _, _) in self._read.questions.items()}
        return {name: count for name, count in counts.items() if count}

    @cached_property
    def _read(self) -> _Read:
        parts: dict[str, list[tuple[Codes, Ints, Codes]]] = {question.name: [] for question in self.questions}
        sizes, centres = [], []
        for shard in self.shards():
            sizes.append(shard.sizes)
            centres.append(shard.centres)
            for question in self.questions:
                answers, true = question.answers(shard.positive, shard.undefined, shard.labels)
                own, _ = question.answers(shard.own_positive[:, None], shard.own_undefined[:, None], shard.labels)
                parts[question.name].append((answers, true, own[:, 0]))
        joined = {
            name: (
                np.concatenate([answers for answers, _, _ in of_shards]),
                np.concatenate([true for _, true, _ in of_shards]),
                np.concatenate([own for _, _, own in of_shards]),
            )
            for name, of_shards in parts.items()
        }
        return _Read(joined, np.concatenate(sizes), np.concatenate(centres))


@dataclass(frozen=True)
class _Read:
    questions: Mapping[str, tuple[Codes, Ints, Codes]]
    sizes: NDArray[np.int64]
    centres: NDArray[np.float32]


def open_zoom(folder: str | os.PathLike[str], *, audit: Audit | None = None) -> SeenViews:
    """Open a finished zoom study.

    Args:
        folder: The study's folder, ``AUDIT/studies/zoom`` of an audit.
        audit: The audit that it must rest on.

    Raises:
        InputError: There is none, it is unfinished, or it is of other measurements.
    """
    study = StudyFolder.open(folder, NAME, audit=audit)
    try:
        stated = study.settings
        named = stated["plan"] if stated["plan"] != "own" else [tuple(view) for view in stated["views"]]
        questions = tuple(
            Question(name, tuple(entry["outputs"]), tuple(entry["columns"]), tuple(entry["rare"]))
            for name, entry in study.summary["questions"].items()
        )
        height, width = (int(side) for side in stated["input_size"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{study.folder}: the study's files lack {error}; make the study again") from None
    return SeenViews(study, view_plan(named, (height, width)), questions)


def open_zoom_of(audit: Audit) -> SeenViews:
    """Open the finished zoom study of an audit; errors are those of ``open_zoom``."""
    return open_zoom(study_folder(audit, NAME), audit=audit)


def write_images(file: Path, subject: Subject) -> None:
    """Write the names, people and folder of a study's images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = subject.table
    columns = {
        "image": list(table.ids),
        "identity": subject.people,
        "root": [str(table.root)] * len(table),
    }
    with atomic(file) as part:
        pq.write_table(pa.table(columns), part)
