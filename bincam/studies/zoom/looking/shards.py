"""The views of some shards of a zoom study, looked at in one process, as every engine has it done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from bincam.inference.prediction import Predictions, decided, predict
from bincam.inference.tta.mirror import plain_crop
from bincam.inference.zoom.plan import Plan
from bincam.progress import track
from bincam.studies.zoom.centres import Centres
from bincam.studies.zoom.subject import Subject
from bincam.studies.zoom.view_shard import ViewShard, shard_file, shard_images


def rows_of(subject: Subject, plan: Plan, number: int) -> range:
    """The rows of a shard in a subject's table."""
    size = shard_images(len(plan))
    return range(number * size, min((number + 1) * size, len(subject.table)))


def missing_shards(subject: Subject, plan: Plan, folder: Path) -> list[int]:
    """List the numbers of the shards that are not written."""
    return [number for number in range(count_shards(subject, plan)) if not shard_file(folder, number).is_file()]


def count_shards(subject: Subject, plan: Plan) -> int:
    """Count the shards of a study."""
    return -(-len(subject.table) // shard_images(len(plan)))


def look_at_shards(
    subject: Subject,
    plan: Plan,
    folder: Path,
    numbers: Sequence[int],
    *,
    study: str,
    batch_size: int,
    progress: str = "",
    check: Callable[[], None] | None = None,
) -> Iterator[int]:
    """Look at the images of shards and write each; yield its number then.

    Args:
        subject: Model, images and questions.
        plan: The views.
        folder: The study's.
        numbers: The shards, in order.
        study: ``StudyFolder.digest``.
        batch_size: Views per forward pass.
        progress: Label of a progress bar; no bar without one.
        check: Called before each shard is written.

    Raises:
        InputError: An image cannot be read.
    """
    rows: Any = [row for number in numbers for row in rows_of(subject, plan, number)]
    if progress:  # one bar over all images; a generator, which is closed on errors too
        rows = track(rows, progress, unit="images", before=len(subject.table) - len(rows))
    else:
        rows = (row for row in rows)
    centres = Centres.of(subject.table, subject.model.card)
    with closing(rows) as images:
        for place, number in enumerate(numbers):
            own = islice(images, len(rows_of(subject, plan, number)))
            shard = _shard(subject, plan, own, centres, batch_size, check=place == 0)
            if check is not None:
                check()
            shard.write(shard_file(folder, number), study)
            yield number
        for _ in images:  # the last step of the bar
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
    own = chosen(decided(model.card, np.concatenate(parts)[:, None], seen.sizes), columns)
    seen = chosen(seen, columns)
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


def chosen(seen: Predictions, columns: list[int]) -> Predictions:
    """Keep the outputs that are asked for."""
    names = tuple(seen.outputs[column] for column in columns)
    kept = (seen.logits[..., columns], seen.positive[..., columns], seen.undefined[..., columns])
    return Predictions(names, *kept, seen.sizes)
