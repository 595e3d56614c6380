"""The hard set: images that no view gets right, as a table that other commands read, and what they were taken for."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data import AttributeTable
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.data.readers.data_file import FILE, save_reading
from bincam.errors import InputError
from bincam.files import atomic
from bincam.studies.zoom.question_figures import hard_images
from bincam.studies.zoom.seen import SeenViews

TABLE, TAKEN_FOR = "hard.csv", "taken-for.csv"
GROUP = "hard"
_FIXED = ("image", "split", "identity", GROUP)


@dataclass(frozen=True)
class Mistaken:
    """An image that no view gets right.

    Attributes:
        row: Its row in the study.
        image: Its name in the data set.
        question: The question.
        true: The true answer.
        taken_for: The answer that most of its views give; the first of equals.
        share: Share of the views with an answer that give this one.
    """

    row: int
    image: str
    question: str
    true: str
    taken_for: str
    share: float


@dataclass(frozen=True)
class HardSet:
    """The images that no view gets right on at least one question.

    Attributes:
        mistaken: A row per image and question, by image.
        images: Number of images of the study.
        files: The files that were written; none before ``write_hard_set``.

    Example:
        >>> from bincam.studies.zoom.hard_set import HardSet, Mistaken
        >>> HardSet((Mistaken(3, "a.png", "Bald", "yes", "no", 1.0),), images=40).rows
        [3]
    """

    mistaken: tuple[Mistaken, ...]
    images: int
    files: tuple[Path, ...] = ()

    @property
    def rows(self) -> list[int]:
        """The images' rows in the study, ascending."""
        return sorted({entry.row for entry in self.mistaken})

    def of(self, row: int) -> list[Mistaken]:
        """Return the mistakes of one image."""
        return [entry for entry in self.mistaken if entry.row == row]


def find_hard(seen: SeenViews) -> HardSet:
    """Find the images that no view gets right. Views without an answer do not count, nor images without any."""
    names = seen.images["image"].tolist()
    found = []
    for question in seen.questions:
        answers, true = seen.answers(question.name)
        for row in np.flatnonzero(hard_images(answers, true)):
            said = np.bincount(answers[row][answers[row] >= 0], minlength=len(question.rare))
            most = int(said.argmax())
            found.append(
                Mistaken(
                    int(row),
                    str(names[row]),
                    question.name,
                    question.answers_named[true[row]],
                    question.answers_named[most],
                    float(said[most] / said.sum()),
                )
            )
    return HardSet(tuple(sorted(found, key=lambda entry: entry.row)), len(names))


def write_hard_set(seen: SeenViews, folder: str | os.PathLike[str], *, data: AttributeTable | None = None) -> HardSet:
    """Write the hard set as a table, with ``data.yaml`` beside it, and what its images were taken for.

    ``hard.csv`` has the images, their labels of all questions, their people, and of several questions as group column
    ``hard`` those that no view gets right. ``data.yaml`` states how it is read, so ``bincam data describe`` and
    ``bincam audit --data`` need no options for it. The images stay where they are.

    Args:
        seen: The study.
        folder: A folder without these files.
        data: The data set, where it has moved, or for the landmarks of faces.

    Raises:
        InputError: The folder has such a file or cannot be written, no image is hard, or an output has the name of
            another column.
    """
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise InputError(f"{place} is a file, not a folder; choose another place for the hard set")
    for name in (TABLE, TAKEN_FOR, FILE):
        if (place / name).exists():
            raise InputError(f"{place / name} exists already; choose a new or empty folder for the hard set")
    hard = find_hard(seen)
    if not hard.mistaken:
        raise InputError(
            f"{seen.folder}: some view gets each of the {hard.images:,} images right on each question, so there is no "
            "hard set"
        )
    for question in seen.questions:
        if question.name in _FIXED:
            raise InputError(
                f"the question {question.name!r} has the name of another column of {TABLE}; rename the output"
            )
    root = Path(str(seen.images["root"].iloc[0])) if data is None else data.root
    points = _landmarks(seen, hard.rows, data)
    head = [*_FIXED, *(question.name for question in seen.questions), *(LANDMARK_COLUMNS if points is not None else ())]
    for name, there in (("identity", seen.clusters.known), (GROUP, len(seen.questions) > 1)):
        if not there:
            head.remove(name)
    _write(place / TABLE, head, _table(seen, hard, points))
    columns = ("image", "question", "true", "taken for", "share of views")
    lines = ((m.image, m.question, m.true, m.taken_for, f"{m.share:.4f}") for m in hard.mistaken)
    _write(place / TAKEN_FOR, columns, lines)
    reading: dict[str, object] = {"images": str(root.resolve()), "split": "split"}
    if len(seen.questions) > 1:
        reading["groups"] = [GROUP]
    if seen.clusters.known:
        reading["identity"] = "identity"
    if points is not None:
        reading["landmarks"] = "celeba"
    sets = {question.name: list(question.answers_named) for question in seen.questions if question.is_set}
    if sets:
        reading["one_of_columns"] = sets
    stated = save_reading(place / TABLE, reading)
    return HardSet(hard.mistaken, hard.images, (place / TABLE, place / TAKEN_FOR, stated))


def _table(seen: SeenViews, hard: HardSet, points: NDArray[np.float32] | None) -> Iterator[list[str]]:
    people = [[str(name)] if seen.clusters.known else [] for name in seen.images["identity"]]
    names = seen.images["image"].tolist()
    for place, row in enumerate(hard.rows):
        line = [str(names[row]), "test", *people[row]]
        if len(seen.questions) > 1:
            line.append(" and ".join(mistake.question for mistake in hard.of(row)))
        for question in seen.questions:
            true = int(seen.answers(question.name)[1][row])
            unknown = true < 0
            line.append("" if unknown else question.answers_named[true] if question.is_set else str(true))
        if points is not None:
            line += ["" if np.isnan(value) else f"{value:g}" for value in points[place].reshape(-1)]
        yield line


def _landmarks(seen: SeenViews, rows: Sequence[int], data: AttributeTable | None) -> NDArray[np.float32] | None:
    if data is None or data.landmarks is None:
        return None
    row_of = {name: row for row, name in enumerate(data.ids)}
    names = seen.images["image"].tolist()
    found: NDArray[np.float32] = data.landmarks[[row_of[names[row]] for row in rows]]
    return found


def _write(file: Path, head: Sequence[str], lines: Iterator[Sequence[str]]) -> None:
    with atomic(file) as part, part.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)
