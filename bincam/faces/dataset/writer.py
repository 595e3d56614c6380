"""Write generated faces as a folder in CelebA's layout, with masks and a card. Interrupted, it goes on where it was.

Faces are drawn in shards. A shard's record is written after its last image, so what has a record is whole; everything
else is drawn again, to the same bytes. The tables and the finished card come last, and the records are then removed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
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
from bincam.progress import track

SHARD = 32  # images: what an interruption can cost each worker


@dataclass(frozen=True)
class _Job:
    """A set to be made."""

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
    """Make a folder of faces.

    Args:
        out: The folder: new, empty, or begun with the same settings.
        count: How many faces.
        seed: Of the set. With the settings below, it decides face i whatever the count.
        prevalence: As for :func:`bincam.faces.labels.prevalence.target`.
        set: Likewise.
        correlate: Likewise.
        correlation: Likewise.
        size: (W, H) of the images in pixels.
        images_per_person: On average.
        influence: Attributes whose influence masks are written, too.
        influence_images: Write them for so many images, the first of the test split; by default for all images.
        tau: Their threshold, of 255.
        workers: Processes; as many as there are cores by default. 1 draws in this one.

    Returns:
        The card: settings, and what was measured.

    Raises:
        InputError: Settings that are impossible, a folder that holds something else, or a full disk.
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
    root = Path(out)
    found = card.begun(root, settings)
    if found is not None and found["complete"]:
        shutil.rmtree(root / shards.RECORDS, ignore_errors=True)  # a run can be killed between its last two steps
        return found
    faces = sampler(wanted, seed, images_per_person).faces(0, count)
    job = _Job(root, settings, wanted, faces, _shards(root, faces, settings))
    try:
        if found is None:
            write_json(root / card.NAME, card.head(settings))
        _draw(job, workers or os.cpu_count() or 1)
        result = _finish(job, job.work)
        shutil.rmtree(root / shards.RECORDS)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise InputError(f"{root}: cannot be written: {error}") from error
        raise InputError(_full(job)) from error
    return result


def _check(settings: dict[str, Any], workers: int | None) -> None:
    if settings["count"] < 1:
        raise InputError(f"at least one face is made, got {settings['count']}")
    if settings["count"] > 999_999:
        raise InputError(f"CelebA's layout numbers at most 999999 images, got {settings['count']}")
    most = settings["influence_images"]
    if most is not None and (most < 1 or not settings["influence"]):
        raise InputError(f"influence masks of {most} images: at least one, and say of which attributes (influence)")
    check_drawing(settings["influence"], settings["size"], settings["tau"])
    if workers is not None and workers < 1:
        raise InputError(f"at least one worker draws, got {workers}")


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
            faces=tuple(faces[at] for at in range(start, min(start + SHARD, len(faces)))),
            size=(width, height),
            influence=tuple(settings["influence"]),
            masked=tuple(masked[start : start + SHARD].tolist()),
            tau=settings["tau"],
        )
        for number, start in enumerate(range(0, len(faces), SHARD))
    ]


def _draw(job: _Job, workers: int) -> None:
    """Draw what has no record yet."""
    todo = [shard for shard in job.work if not shard.record.exists()]
    total = sum(len(shard.faces) for shard in todo)
    done = len(job.faces) - total
    drawn = _serial(todo) if workers == 1 else _parallel(todo, workers)
    title = f"faces ({done} of {len(job.faces)} were there)" if done else "faces"
    for _ in track(drawn, title, total=total, unit="images", amount=int):
        pass


def _serial(todo: list[Shard]) -> Iterator[int]:
    for shard in todo:
        yield shards.draw(shard)


def _parallel(todo: list[Shard], workers: int) -> Iterator[int]:
    """Draw in other processes, with only a few shards waiting, and give the number of images of each as it is done."""
    import multiprocessing

    pool = ProcessPoolExecutor(
        min(workers, len(todo)) or 1,
        mp_context=multiprocessing.get_context("spawn"),  # a fork would copy numba's and OpenMP's threads half
        initializer=shards.start_worker,
    )
    waiting = iter(todo)
    running: set[Future[int]] = set()
    try:
        while True:
            running |= {pool.submit(shards.draw, shard) for shard in islice(waiting, 2 * workers - len(running))}
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, perhaps for memory; run the same command again to go on"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _finish(job: _Job, written: list[Shard]) -> dict[str, Any]:
    """Write the tables and the card for the shards that are written."""
    records = [shards.read_records(shard.record) for shard in written]
    rows = np.concatenate([np.arange(shard.first - 1, shard.first - 1 + len(shard.faces)) for shard in written])
    labels = np.concatenate([record.labels for record in records])
    faces = job.faces.take(rows)
    write_tables(
        job.root,
        [name for shard in written for name in shard.files],
        faces,
        labels=labels,
        landmarks=np.concatenate([record.landmarks for record in records]),
        boxes=np.concatenate([record.boxes for record in records]),
    )
    result = {
        **card.head(job.settings),
        "complete": len(rows) == len(job.faces),
        "images": len(rows),
        "measured": card.measured(job.target, faces, labels),
    }
    write_json(job.root / card.NAME, result)
    _sweep(job.root)
    return result


def _full(job: _Job) -> str:
    """Leave a smaller, valid set on a full disk.

    Images of unfinished shards are removed, which frees more than the tables of the finished ones need.

    Returns:
        What to tell the user.
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
            state = f"{images} of {len(job.faces)} images are written and whole, their tables are not"
    return f"{job.root}: the disk is full; {state}. Free space and run the same command again to go on"


def _sweep(root: Path) -> None:
    """Remove the temporary files of a killed run."""
    for folder in (root, root / shards.IMAGES, root / shards.PARTS, *(root / shards.INFLUENCE).glob("*")):
        for path in folder.glob(".*-*"):
            path.unlink(missing_ok=True)
