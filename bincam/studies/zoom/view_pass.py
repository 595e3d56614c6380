"""The pass over images and views, shard by shard, and the whole study with its summary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.data.decoding.bands import photograph
from bincam.errors import InputError
from bincam.inference.borrowed_classifier import borrowed
from bincam.inference.prediction import Predictions, decided, predict, predict_blank
from bincam.inference.tta.mirror import plain_crop
from bincam.inference.zoom.plan import Plan
from bincam.progress import Course, track
from bincam.studies.folder import StudyFolder, study_folder
from bincam.studies.zoom.centres import Centres
from bincam.studies.zoom.rescuing_maps import has_rescuing_maps, write_rescuing_maps
from bincam.studies.zoom.seen import IMAGES, NAME, SeenViews, open_zoom, write_images
from bincam.studies.zoom.subject import Subject
from bincam.studies.zoom.summary import summarise_zoom
from bincam.studies.zoom.view_shard import ViewShard, shard_file, shard_images

BATCH = 64
"""Views per forward pass."""


def run_zoom(
    subject: Subject,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    batch_size: int = BATCH,
) -> SeenViews:
    r"""Look at every image at every view of a plan, and summarise what was seen.

    The cost is images × views forward passes. Shards are written whole, so an interrupted study is resumed after the
    last one, and ends with the bytes of one that was never interrupted (same machine, threads and versions).

    Args:
        subject: Model, images and questions.
        plan: The plan, of the card's input size.
        out: The study's folder; that of the audit, ``AUDIT/studies/zoom``, by default.
        resume: Resume an interrupted study, or return a finished one.
        batch_size: Views per forward pass.

    Returns:
        The study.

    Raises:
        InputError: The folder contains something else or a study with other settings, an image cannot be read, or
            there is neither an audit nor a folder.
        UnsupportedError: The model's output is not a function of one image.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bincam.data import load
        >>> from bincam.example import write_images
        >>> from bincam.inference import view_plan
        >>> from bincam.models import build
        >>> from bincam.studies.zoom import Subject, run_zoom
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = [f"{file.name},{int('disc' in file.name)}" for file in write_images(folder)]
        >>> _ = (folder / "table.csv").write_text("\n".join(["image,disc", *lines]))
        >>> model = build("resnet10t", ["disc"], channels=[8, 8, 8, 8], stem_width=8, input_size=(32, 32))
        >>> subject = Subject.of_data(model, load(folder / "table.csv"), split=None)
        >>> study = run_zoom(subject, view_plan([(32, 1, 1), (64, 0, 2)], (32, 32)), folder / "zoom")
        >>> study.summary["images"], study.answers("disc")[0].shape
        (4, (4, 2))
    """
    study = begin_zoom(subject, plan, out, resume=resume, batch_size=batch_size)
    return carry_out(study, subject, plan, batch_size=batch_size)


def begin_zoom(
    subject: Subject,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    batch_size: int = BATCH,
) -> StudyFolder:
    """Write what a study is begun with, or check it; arguments and errors are those of ``run_zoom``."""
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: expected at least 1")
    if out is not None:
        folder = Path(out)
    elif subject.audit is not None:
        folder = study_folder(subject.audit, NAME)
    else:
        raise InputError("a study without an audit needs a folder; pass out=")
    views = plan.to_json()
    settings: dict[str, Any] = {
        "plan": views.pop("name"),
        **views,
        **subject.stated,
        "batch_size": batch_size,
    }
    return StudyFolder.begin(folder, NAME, settings, audit=subject.audit, resume=resume)


def carry_out(study: StudyFolder, subject: Subject, plan: Plan, *, batch_size: int = BATCH) -> SeenViews:
    """Carry out a study that was begun, from the first shard on that is missing; a finished one is opened.

    One of an earlier version, which has no maps of its examples, gets them.
    """
    with Course({"views": len(plan) * len(subject.table), "rest": 0.02 * len(plan) * len(subject.table)}) as course:
        course.begin("views")
        return _carry_out(study, subject, plan, batch_size, course)


def _carry_out(study: StudyFolder, subject: Subject, plan: Plan, batch_size: int, course: Course) -> SeenViews:
    folder, seen = study.folder, SeenViews(study, plan, subject.questions)
    if not study.finished:
        write_images(folder / IMAGES, subject)  # again in a resumed study: what is there is not known to be whole
        _look(subject, plan, study, batch_size)
    course.begin("rest")
    if not study.finished or not has_rescuing_maps(folder):
        write_rescuing_maps(seen, subject)
    if not study.finished:
        blank = _chosen(predict_blank(subject.model), subject.columns)
        study.write_summary(summarise_zoom(seen, subject, blank))
    return open_zoom(folder, audit=subject.audit)


def _look(subject: Subject, plan: Plan, study: StudyFolder, batch_size: int) -> None:
    """Write the shards that are missing."""
    folder = study.folder
    count, size = len(subject.table), shard_images(len(plan))
    shards = -(-count // size)
    missing = [number for number in range(shards) if not shard_file(folder, number).is_file()]
    rows = [row for number in missing for row in range(number * size, min((number + 1) * size, count))]
    centres = Centres.of(subject.table, subject.model.card)
    bar: Any = track(
        rows, "zoom", unit="images", before=count - len(rows)
    )  # one over all images; a generator, which is closed on errors too
    with closing(bar) as progress:
        for place, number in enumerate(missing):
            own = min(size, count - number * size)
            _shard(subject, plan, islice(progress, own), centres, batch_size, check=place == 0).write(
                shard_file(folder, number), study.digest
            )
        for _ in progress:  # the last step of the bar
            pass


class _Reading:
    """Decodes each image once, and keeps what is needed of it besides its views."""

    def __init__(self, subject: Subject, centres: Centres) -> None:
        self.subject, self.centres = subject, centres
        self.rows: list[int] = []
        self.crops: list[Tensor] = []
        self.at: list[NDArray[np.float32]] = []
        self.points: list[Any] = []

    def images(self, rows: Iterator[int]) -> Iterator[NDArray[np.uint8]]:
        table, card = self.subject.table, self.subject.model.card
        for row in rows:
            file = table.path(row)
            pixels = photograph(file)
            points = table.landmarks[row] if card.fit == "face" and table.landmarks is not None else None
            try:
                self.crops.append(plain_crop(pixels, card, points))
            except InputError as error:
                raise InputError(f"{file}: {error}") from None
            self.at.append(self.centres.at(row, pixels, points))
            self.points.append(points)
            self.rows.append(row)
            yield pixels

    def landmarks(self) -> Iterator[Any]:
        """The landmarks of the images, each asked for after its image."""
        position = 0
        while position < len(self.points):
            yield self.points[position]
            position += 1


def _shard(
    subject: Subject, plan: Plan, rows: Iterator[int], centres: Centres, batch_size: int, *, check: bool
) -> ViewShard:
    model, columns = subject.model, subject.columns
    reading = _Reading(subject, centres)
    faces = model.card.fit == "face"
    seen = predict(
        model,
        reading.images(rows),
        plan,
        landmarks=reading.landmarks() if faces else None,
        batch_size=batch_size,
        check=check,
    )
    with borrowed(model) as scores:
        starts = range(0, len(reading.crops), batch_size)
        parts = [scores(torch.stack(reading.crops[at : at + batch_size])).cpu().numpy() for at in starts]
    own = _chosen(decided(model.card, np.concatenate(parts)[:, None], seen.sizes), columns)
    seen = _chosen(seen, columns)
    labels = subject.table.labels[reading.rows]
    right = []
    for question in subject.questions:
        answers, true = question.answers(seen.positive, seen.undefined, labels)
        right.append((answers == true[:, None]) & (true >= 0)[:, None])
    with np.errstate(over="ignore"):
        half = seen.logits.astype(np.float16)
    return ViewShard(
        logits=half,
        positive=seen.positive,
        undefined=seen.undefined,
        right=np.stack(right, -1),
        own_logits=own.logits[:, 0],
        own_positive=own.positive[:, 0],
        own_undefined=own.undefined[:, 0],
        sizes=seen.sizes,
        labels=labels,
        centres=np.stack(reading.at),
    )


def _chosen(seen: Predictions, columns: list[int]) -> Predictions:
    """Keep the outputs that are asked for."""
    names = tuple(seen.outputs[column] for column in columns)
    kept = (seen.logits[..., columns], seen.positive[..., columns], seen.undefined[..., columns])
    return Predictions(names, *kept, seen.sizes)
