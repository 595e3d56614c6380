"""A shard of a set: a range of faces that one worker process draws independently of all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.faces.labels.constraints import visible_labels
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec
from bincam.generated.encode import image_name, jpeg, mask_png, parts_png, write
from bincam.generated.records import Form, read_record, record_path, write_record

IMAGES = "img_align_celeba"
PARTS = "masks/parts"
INFLUENCE = "masks/influence"
_FORMS: Mapping[str, Form] = {
    "labels": ("b", ("N", len(ATTRIBUTES))),
    "landmarks": ("f", ("N", 5, 2)),
    "boxes": ("f", ("N", 4)),
}


@dataclass(frozen=True)
class Shard:
    """A range of faces to draw.

    Attributes:
        root: The folder.
        number: Number of the shard, from 0.
        first: Number of its first image; images count from 1, as in CelebA.
        faces: The faces to draw.
        size: (W, H) in pixels.
        influence: Attributes whose influence masks are written.
        masked: For each face, True if its influence masks are written.
        tau: Threshold of the influence masks, in levels of 255.
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
        """The file whose presence means that every image of the shard is written."""
        return record_path(self.root, self.number)

    @property
    def files(self) -> list[str]:
        """File names of the images, in order."""
        return [image_name(self.first + row) for row in range(len(self.faces))]

    @property
    def paths(self) -> list[Path]:
        """Every file that the shard writes, except its record."""
        folders = [self.root / PARTS, *(self.root / INFLUENCE / attribute for attribute in self.influence)]
        masks = [folder / f"{name[:-4]}.png" for folder in folders for name in self.files]
        return [*(self.root / IMAGES / name for name in self.files), *masks]


@dataclass(frozen=True)
class Records:
    """Properties of a range of images that are known only after they are drawn.

    Attributes:
        labels: (N, 40), True where the attribute is labelled and can be seen.
        landmarks: (N, 5, 2) pixels, in CelebA's order.
        boxes: (N, 4) x, y, width, height.
    """

    labels: NDArray[np.bool_]
    landmarks: NDArray[np.float64]
    boxes: NDArray[np.float64]


def draw(shard: Shard) -> int:
    """Draw and write a shard, each file atomically and its record last.

    Returns:
        The number of images.
    """
    from bincam.faces.counterfactuals.pairs import influences
    from bincam.faces.render.image import render

    labels = np.empty((len(shard.faces), len(shard.faces[0].labels)), dtype=bool)
    landmarks = np.empty((len(shard.faces), 5, 2))
    boxes = np.empty((len(shard.faces), 4))
    for row, (name, face) in enumerate(zip(shard.files, shard.faces, strict=True)):
        drawn = render(face, shard.size)
        labels[row] = visible_labels(face, drawn.visible)
        landmarks[row] = drawn.landmarks
        boxes[row] = drawn.bbox
        mask = f"{name[:-4]}.png"
        write(shard.root / PARTS / mask, parts_png(drawn.parts))
        if shard.influence and shard.masked[row]:
            for attribute, influence in influences(face, shard.influence, shard.size, tau=shard.tau).items():
                write(shard.root / INFLUENCE / attribute / mask, mask_png(influence))
        write(shard.root / IMAGES / name, jpeg(drawn.image, drawn.jpeg_quality))
    write_record(shard.record, {"labels": labels, "landmarks": landmarks, "boxes": boxes})
    return len(shard.faces)


def read_records(shard: Shard) -> Records:
    """Read the record that :func:`draw` wrote."""
    return Records(**read_record(shard.record, _FORMS, len(shard.faces)))
