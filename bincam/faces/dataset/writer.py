"""Resumable writer of a set of generated faces in CelebA's layout, with masks and a card.

Faces are drawn in shards. The record of a shard is written after its last image, so a shard with a record is complete;
all others are drawn again, to the same bytes. The tables and the finished card come last; then the records are removed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data.describe import SPLITS
from bincam.errors import InputError
from bincam.faces.dataset import card, shards
from bincam.faces.dataset.label_files import write_tables
from bincam.faces.dataset.shards import Shard
from bincam.faces.geometry.pose import SIZE
from bincam.faces.labels.prevalence import Target, target
from bincam.faces.labels.sampler import IMAGES_PER_PERSON, Faces, sampler
from bincam.faces.render.settings import RENDERER, TAU, check_drawing
from bincam.files import write_json
from bincam.folder_lock import take
from bincam.generated import begun, records
from bincam.generated.workers import spread
from bincam.progress import track

SHARD = 32  # images: the most that an interruption costs each worker


@dataclass(frozen=True)
class _Job:
    """A set to make."""

    root: Path
    settings: dict[str, Any]
    target: Target
    faces: Faces
    work: list[Shard]


def make(
    out: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    prevalence: str | Path = "celeba",
    set: Mapping[str, float] | None = None,  # noqa: A002  # the command's own word
    correlate: Mapping[tuple[str, str], float] | None = None,
    correlation: str | None = None,
    size: tuple[int, int] = SIZE,
    images_per_person: int = IMAGES_PER_PERSON,
    influence: Sequence[str] = (),
    influence_images: int | None = None,
    tau: int = TAU,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write a folder of faces in CelebA's layout, or resume one.

    Args:
        out: The folder: new, empty, or begun with the same settings.
        count: Number of faces.
        seed: Seed of the set. Together with the settings below it determines face i, whatever the count.
        prevalence: As for :func:`bincam.faces.labels.prevalence.target`.
        set: Likewise.
        correlate: Likewise.
        correlation: Likewise.
        size: (W, H) of the images in pixels.
        images_per_person: On average.
        influence: Attributes whose influence masks are also written.
        influence_images: Write these masks for this many images, the first of the test split. Default: all images.
        tau: Threshold of these masks, in levels of 255.
        workers: Number of processes. Default: the number of cores. 1 draws in this process.

    Returns:
        The card: settings and measured statistics.

    Raises:
        InputError: Invalid or infeasible settings, a folder that contains something else or that another process is
            writing, or a full disk.

    >>> import tempfile
    >>> from bincam.data import celeba
    >>> from bincam.faces import make
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = make(folder, 3, seed=1, size=(64, 80), workers=1)
    ...     table = celeba(folder)
    >>> card["complete"], table.labels.shape
    (True, (3, 40))
    """
    wanted = target(prevalence, set=set, correlate=correlate, correlation=correlation)
    settings = {
        "count": count,
        "seed": seed,
        **wanted.request,
        "size": list(size),
        "images_per_person": images_per_person,
        "influence": list(dict.fromkeys(influence)),
        "influence_images": influence_images,
        "tau": tau,
        "renderer": RENDERER,
    }
    _check(settings, workers)
    with take(out, writes=(begun.NAME,)) as taken:
        return _make(taken.folder, wanted, settings, workers)


def _make(root: Path, wanted: Target, settings: dict[str, Any], workers: int | None) -> dict[str, Any]:
    previous = card.read_same(root, settings)
    if previous is not None and previous["complete"]:
        shutil.rmtree(root / records.FOLDER, ignore_errors=True)  # a run can be killed between its last two steps
        return previous
    faces = sampler(wanted, settings["seed"], settings["images_per_person"]).faces(0, settings["count"])
    job = _Job(root, settings, wanted, faces, _shards(root, faces, settings))
    try:
        if previous is None:
            write_json(root / begun.NAME, card.head(settings))
        _draw(job, workers or os.cpu_count() or 1)
        result = _finish(job, job.work)
        shutil.rmtree(root / records.FOLDER)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise InputError(f"{root}: cannot be written: {error}") from error
        raise InputError(_full(job)) from error
    return result


def _check(settings: dict[str, Any], workers: int | None) -> None:
    if settings["count"] < 1:
        raise InputError(f"expected a count of at least 1, got {settings['count']}")
    if settings["count"] > 999_999:
        raise InputError(f"expected a count of at most 999999, the limit of CelebA's layout, got {settings['count']}")
    images = settings["influence_images"]
    if images is not None and images < 1:
        raise InputError(f"expected influence masks of at least 1 image, got {images}")
    if images is not None and not settings["influence"]:
        raise InputError(f"influence masks of {images} images were requested of no attribute; name some (influence)")
    check_drawing(settings["influence"], settings["size"], settings["tau"])
    if workers is not None and workers < 1:
        raise InputError(f"expected at least one worker, got {workers}")


def _shards(root: Path, faces: Faces, settings: dict[str, Any]) -> list[Shard]:
    width, height = settings["size"]
    most = settings["influence_images"]
    masked = np.ones(len(faces), bool)
    if most is not None:
        test = faces.split == SPLITS.index("test")
        masked = test & (np.cumsum(test) <= most)
    return [
        Shard(
            root=root,
            number=number,
            first=start + 1,
            faces=tuple(faces[row] for row in range(start, min(start + SHARD, len(faces)))),
            size=(width, height),
            influence=tuple(settings["influence"]),
            masked=tuple(masked[start : start + SHARD].tolist()),
            tau=settings["tau"],
        )
        for number, start in enumerate(range(0, len(faces), SHARD))
    ]


def _draw(job: _Job, workers: int) -> None:
    """Draw the shards that have no record yet."""
    todo = [shard for shard in job.work if not shard.record.exists()]
    total = sum(len(shard.faces) for shard in todo)
    done = len(job.faces) - total
    drawn = spread(shards.draw, todo, workers)
    title = f"faces (resumed after {done} of {len(job.faces)})" if done else "faces"
    for _ in track(drawn, title, total=total, unit="images", amount=int):
        pass


def _finish(job: _Job, written: list[Shard]) -> dict[str, Any]:
    """Write the tables and the card of the shards that are written, and remove temporary files."""
    drawn = [shards.read_records(shard) for shard in written]
    rows = np.concatenate([np.arange(shard.first - 1, shard.first - 1 + len(shard.faces)) for shard in written])
    labels = np.concatenate([record.labels for record in drawn])
    faces = job.faces.take(rows)
    write_tables(
        job.root,
        [name for shard in written for name in shard.files],
        faces,
        labels=labels,
        landmarks=np.concatenate([record.landmarks for record in drawn]),
        boxes=np.concatenate([record.boxes for record in drawn]),
    )
    result = {
        **card.head(job.settings),
        "complete": len(rows) == len(job.faces),
        "images": len(rows),
        "measured": card.measure(job.target, faces, labels),
    }
    write_json(job.root / begun.NAME, result)
    _sweep(job.root)
    return result


def _full(job: _Job) -> str:
    """Reduce the set to the finished shards when the disk is full.

    Images of unfinished shards are removed, which frees more space than the tables of the finished shards need.

    Returns:
        The message for the user.
    """
    written = [shard for shard in job.work if shard.record.exists()]
    for shard in job.work:
        if not shard.record.exists():
            for path in shard.paths:
                path.unlink(missing_ok=True)
    images = sum(len(shard.faces) for shard in written)
    state = "no image is complete"
    if written:
        try:
            _finish(job, written)
            state = f"{images} of {len(job.faces)} images are written and form a valid set"
        except OSError:
            state = f"{images} of {len(job.faces)} images are complete, but their tables are not"
    return f"{job.root}: the disk is full; {state}. Free space and run the same command again to resume"


def _sweep(root: Path) -> None:
    """Remove the temporary files of a killed run."""
    for folder in (root, root / shards.IMAGES, root / shards.PARTS, *(root / shards.INFLUENCE).glob("*")):
        for path in folder.glob(".*-*"):
            path.unlink(missing_ok=True)
