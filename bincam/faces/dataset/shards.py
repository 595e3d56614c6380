"""Draw a run of faces into a folder. This is what a worker process does; it knows nothing of the other runs."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.faces.labels.constraints import told
from bincam.faces.labels.spec import FaceSpec
from bincam.faces.render.encode import image_name, jpeg, mask_png, parts_png, write
from bincam.files import atomic

IMAGES = "img_align_celeba"
PARTS = "masks/parts"
INFLUENCE = "masks/influence"
RECORDS = ".unfinished"


@dataclass(frozen=True)
class Shard:
    """A run of faces to draw.

    Attributes:
        root: The folder.
        number: Of the shard.
        first: Number of its first image; images count from 1, as CelebA's do.
        faces: What to draw.
        size: (W, H) in pixels.
        influence: Attributes whose influence masks are wanted.
        masked: For each face, whether they are wanted of it.
        tau: Their threshold.
    """

    root: Path
    number: int
    first: int
    faces: tuple[FaceSpec, ...]
    size: tuple[int, int]
    influence: tuple[str, ...]
    masked: tuple[bool, ...]
    tau: int

    @property
    def record(self) -> Path:
        """The file whose presence says that every image of the shard is written."""
        return record(self.root, self.number)

    @property
    def files(self) -> list[str]:
        """File names of the images, in order."""
        return [image_name(self.first + at) for at in range(len(self.faces))]

    @property
    def paths(self) -> list[Path]:
        """Every file that the shard writes apart from its record."""
        folders = [self.root / PARTS, *(self.root / INFLUENCE / attribute for attribute in self.influence)]
        masks = [folder / f"{name[:-4]}.png" for folder in folders for name in self.files]
        return [*(self.root / IMAGES / name for name in self.files), *masks]


@dataclass(frozen=True)
class Records:
    """What is known of a run of images only after they are drawn.

    Attributes:
        labels: (N, 40), true where the attribute is labelled and can be seen.
        landmarks: (N, 5, 2) pixels, in CelebA's order.
        boxes: (N, 4) x, y, width, height.
    """

    labels: NDArray[np.bool_]
    landmarks: NDArray[np.float64]
    boxes: NDArray[np.float64]


def record(root: Path, number: int) -> Path:
    """Where shard ``number`` keeps its records until the set is complete."""
    return root / RECORDS / f"{number:06d}.npz"


def draw(shard: Shard) -> int:
    """Draw and write a shard, every file whole or absent, its record last.

    Returns:
        The number of images.
    """
    from bincam.faces.counterfactuals.pairs import influences
    from bincam.faces.render.image import render

    labels = np.empty((len(shard.faces), len(shard.faces[0].labels)), dtype=bool)
    landmarks = np.empty((len(shard.faces), 5, 2))
    boxes = np.empty((len(shard.faces), 4))
    for at, (name, face) in enumerate(zip(shard.files, shard.faces, strict=True)):
        drawn = render(face, shard.size)
        labels[at] = told(np.array(face.labels) & drawn.visible)
        landmarks[at] = drawn.landmarks
        boxes[at] = drawn.bbox
        mask = f"{name[:-4]}.png"
        write(shard.root / PARTS / mask, parts_png(drawn.parts))
        if shard.influence and shard.masked[at]:
            for attribute, where in influences(face, shard.influence, shard.size, tau=shard.tau).items():
                write(shard.root / INFLUENCE / attribute / mask, mask_png(where))
        write(shard.root / IMAGES / name, jpeg(drawn.image, drawn.jpeg_quality))
    with atomic(shard.record) as part:
        np.savez(part, labels=labels, landmarks=landmarks, boxes=boxes)
    return len(shard.faces)


def read_records(path: Path) -> Records:
    """Read what :func:`draw` recorded."""
    with np.load(path, allow_pickle=False) as stored:
        return Records(stored["labels"], stored["landmarks"], stored["boxes"])


def start_worker() -> None:
    """Prepare a worker process: one thread, and no life without its parent, whatever ends that."""
    import multiprocessing
    from multiprocessing.connection import wait

    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, too, and ends the work in good order
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)  # a killed parent leaves workers waiting for work that never comes

    threading.Thread(target=follow, daemon=True).start()
