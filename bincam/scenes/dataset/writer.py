"""Resumable writer of a set of scenes, with masks, boxes, tables and a card.

Scenes are drawn in shards. The record of a shard is written after its last image, so a shard with a record is complete;
all others are drawn again, to the same bytes. The tables and the finished card come last; then the records are removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.errors import InputError
from bincam.files import write_json
from bincam.folder_lock import take
from bincam.generated import begun, records
from bincam.generated.workers import spread
from bincam.progress import track
from bincam.scenes.dataset import card, shards, tables
from bincam.scenes.dataset.shards import Shard
from bincam.scenes.labels.shortcuts import CUES
from bincam.scenes.sampler import check_numbers
from bincam.scenes.settings import SIZE, SceneSettings, scene_settings

SHARD = 128  # images: the most that an interruption costs each worker
_MOST = 999_999  # images have names of six digits


@dataclass(frozen=True)
class _Job:
    """A set to make."""

    root: Path
    count: int
    settings: SceneSettings
    stated: dict[str, Any]
    work: list[Shard]


def make(
    out: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    rule: str = "one",
    size: int = SIZE,
    places: str = "any",
    scale: float | Sequence[float] | None = None,
    prevalence: Mapping[str, float] | None = None,
    shortcut: Mapping[str, float] | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write a folder of scenes, or resume one.

    Args:
        out: The folder: new, empty, or begun with the same settings.
        count: Number of scenes.
        seed: Of the set, 0 to 2³² - 1. Together with the settings it determines scene i, whatever the count.
        rule: The label: ``one`` of the shapes present, drawn uniformly; the ``largest``, by what is seen of it; or
            ``all`` as ten yes-or-no attributes.
        size: Width and height of the images in pixels.
        places: Where the centres of objects are: ``any``where, in the middle half of both axes (``centre``), outside of
            it (``edges``), or in the top left quarter (``corner``).
        scale: Side of objects as a share of the image's side, or the least and the greatest; an object of side s covers
            s² pixels, whatever its shape. Default: .18 to .28, smaller where ``places`` leaves less room.
        prevalence: Shape to the share of scenes that show it; the others share what is left equally. Default: .4 each.
        shortcut: ``colour:SHAPE`` or ``mark:SHAPE`` to the strength: the probability that the cue is in a scene of the
            class, and that it is not in another one.
        workers: Number of processes. Default: the number of cores. 1 draws in this process.

    Returns:
        The card: settings, measured statistics, and a digest of every file.

    Raises:
        InputError: Invalid or infeasible settings, a folder that contains something else or that another process is
            writing, or a full disk.

    Example:
        >>> import tempfile
        >>> from bincam import data, scenes
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     card = scenes.make(folder, 10, seed=1, workers=1)
        ...     single, shown = data.load(f"{folder}/label.csv"), data.load(f"{folder}/present.csv")
        >>> single.counts(), shown.names == scenes.SHAPES
        ({'train': 8, 'validation': 1, 'test': 1}, True)
        >>> bool((single.labels <= shown.labels).all())
        True
    """
    if not 1 <= count <= _MOST:
        raise InputError(f"expected a count of 1 to {_MOST}, got {count}")
    check_numbers(seed, 0, count)
    if workers is not None and workers < 1:
        raise InputError(f"expected at least one worker, got {workers}")
    settings = scene_settings(
        rule=rule, size=size, places=places, scale=scale, prevalence=prevalence, shortcut=shortcut
    )
    stated = {"count": count, "seed": seed, **settings.stated()}
    with take(out, writes=(begun.NAME,)) as taken:
        return _make(taken.folder, count, seed, settings, stated, workers)


def _make(
    root: Path, count: int, seed: int, settings: SceneSettings, stated: dict[str, Any], workers: int | None
) -> dict[str, Any]:
    previous = card.read_same(root, settings, stated)
    if previous is not None and previous["complete"]:
        shutil.rmtree(root / records.FOLDER, ignore_errors=True)  # a run can be killed between its last two steps
        return previous
    starts = range(0, count, SHARD)
    work = [
        Shard(root, number, start, min(SHARD, count - start), seed, settings) for number, start in enumerate(starts)
    ]
    job = _Job(root, count, settings, stated, work)
    try:
        if previous is None:
            write_json(root / begun.NAME, card.head(stated))
        _draw(job, workers or os.cpu_count() or 1)
        result = _finish(job)
        shutil.rmtree(root / records.FOLDER)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise InputError(f"{root}: cannot be written: {error}") from error
        done = sum(shard.count for shard in work if shard.record.exists())
        raise InputError(
            f"{root}: the disk is full; {done} of {count} images are complete. Free space and run the same command "
            "again to resume"
        ) from error
    return result


def _draw(job: _Job, workers: int) -> None:
    """Draw the shards that have no record yet."""
    todo = [shard for shard in job.work if not shard.record.exists()]
    total = sum(shard.count for shard in todo)
    done = job.count - total
    title = f"scenes (resumed after {done} of {job.count})" if done else "scenes"
    for _ in track(spread(shards.draw_shard, todo, workers), title, total=total, unit="images", amount=int):
        pass


def _finish(job: _Job) -> dict[str, Any]:
    """Write the tables and the card, and remove temporary files."""
    drawn = shards.read_records(job.work)
    names = [name for shard in job.work for name in shard.names]
    files = tables.write_tables(job.root, job.settings, names, drawn)
    digest = hashlib.sha256(drawn.digests.tobytes())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    result = {
        **card.head(job.stated),
        "complete": True,
        "images": job.count,
        "table": tables.PRESENT if job.settings.rule == "all" else tables.LABEL,
        "measured": card.measure(
            job.settings,
            present=drawn.present,
            labels=drawn.labels,
            cues={one.cue: drawn.cues[:, CUES.index(one.cue)] for one in job.settings.shortcuts},
            splits=tables.splits(job.count),
            seen=drawn.seen,
        ),
        "digest": digest.hexdigest(),
    }
    write_json(job.root / begun.NAME, result)
    for folder in (job.root, job.root / shards.IMAGES, job.root / shards.PARTS / shards.IMAGES):
        for path in folder.glob(".*-*"):  # temporary files of a killed run
            path.unlink(missing_ok=True)
    return result
