"""A shard of a set: a range of scenes that one worker process draws independently of all others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.generated.encode import parts_png, rgb_png, write
from bincam.generated.records import Form, read_record, record_path, write_record
from bincam.scenes.drawing.raster import MARK, boxes
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.shortcuts import CUES
from bincam.scenes.settings import SceneSettings

IMAGES = "images"
PARTS = "masks/parts"
_FORMS: Mapping[str, Form] = {
    "present": ("b", ("N", len(SHAPES))),
    "labels": ("i", ("N",)),
    "cues": ("b", ("N", len(CUES))),
    "boxes": ("i", ("N", MARK, 4)),
    "scene": ("i", ("M",)),
    "objects": ("f", ("M", 5)),
    "pixels": ("i", ("M",)),
    "seen": ("f", ("M",)),
    "digests": ("u", ("N", 2, 32)),
}


@dataclass(frozen=True)
class Shard:
    """A range of scenes to draw.

    Attributes:
        root: The folder.
        number: Number of the shard, from 0.
        start: Number of its first scene, from 0.
        count: Number of its scenes.
        seed: Of the set.
        settings: Of the set.
    """

    root: Path
    number: int
    start: int
    count: int
    seed: int
    settings: SceneSettings

    @property
    def record(self) -> Path:
        """The file whose presence means that every image of the shard is written."""
        return record_path(self.root, self.number)

    @property
    def names(self) -> list[str]:
        """Names of the images, relative to the folder, in order; images count from 1."""
        return [f"{IMAGES}/{self.start + row + 1:06d}.png" for row in range(self.count)]


@dataclass(frozen=True, eq=False)
class Records:
    """What the tables need to know of N scenes with M objects in all.

    Attributes:
        present: (N, 10) bool.
        labels: (N,) columns of the labels; -1 with the rule ``all``.
        cues: (N, 2) bool in the order of ``CUES``.
        boxes: (N, 11, 4) x0, y0, x1, y1, ends exclusive; zeros for parts that are not in the scene.
        scene: (M,) row of each object's scene.
        objects: (M, 5) shape, x, y, side, turn, in the order of drawing.
        pixels: (M,) pixels of each object's mask.
        seen: (M,) share of each object that is seen.
        digests: (N, 2, 32) bytes: SHA-256 of each image's file and of its mask's.
    """

    present: NDArray[np.bool_]
    labels: NDArray[np.int64]
    cues: NDArray[np.bool_]
    boxes: NDArray[np.int32]
    scene: NDArray[np.int64]
    objects: NDArray[np.float64]
    pixels: NDArray[np.int64]
    seen: NDArray[np.float64]
    digests: NDArray[np.uint8]


def draw_shard(shard: Shard) -> int:
    """Draw and write a shard, each file atomically and its record last.

    Returns:
        The number of images.
    """
    from bincam.scenes.sampler import scene

    present, labels, cues, found, digests = [], [], [], [], []
    rows, objects, pixels, seen = [], [], [], []
    for row, name in enumerate(shard.names):
        one = scene(shard.settings, shard.seed, shard.start + row)
        image, mask = rgb_png(one.image), parts_png(one.parts)
        write(shard.root / PARTS / name, mask)
        write(shard.root / name, image)
        digests.append([np.frombuffer(hashlib.sha256(content).digest(), np.uint8) for content in (image, mask)])
        present.append(one.present)
        labels.append(one.label)
        cues.append([one.cues.get(cue, False) for cue in CUES])
        found.append(boxes(one.parts))
        rows += [row] * len(one.objects)
        objects.append(one.objects)
        pixels.append(np.bincount(one.parts.ravel(), minlength=12)[one.objects[:, 0].astype(int) + 1])
        seen.append(one.samples[:, 0] / one.samples[:, 1])
    arrays = {
        "present": np.array(present),
        "labels": np.array(labels, np.int64),
        "cues": np.array(cues),
        "boxes": np.array(found),
        "scene": np.array(rows),
        "objects": np.concatenate(objects),
        "pixels": np.concatenate(pixels),
        "seen": np.concatenate(seen),
        "digests": np.array(digests),
    }
    write_record(shard.record, arrays)
    return shard.count


def read_records(shards: list[Shard]) -> Records:
    """Read the records that :func:`draw_shard` wrote, as one."""
    stored = [read_record(shard.record, _FORMS, shard.count) for shard in shards]
    for part, shard in zip(stored, shards, strict=True):
        part["scene"] = part["scene"] + shard.start
    return Records(**{name: np.concatenate([part[name] for part in stored]) for name in _FORMS})
