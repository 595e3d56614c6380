"""The label files of a set of generated faces: CelebA's, and what only generated faces have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.faces.sampler import Faces
from bincam.faces.spec import ATTRIBUTES
from bincam.files import atomic


def write_tables(
    root: Path,
    files: list[str],
    faces: Faces,
    *,
    labels: NDArray[np.bool_],
    landmarks: NDArray[np.float64],
    boxes: NDArray[np.float64],
) -> None:
    """Write attributes, partition, landmarks, boxes, identities and how each face is drawn again.

    Args:
        root: The folder.
        files: N image names.
        faces: As drawn.
        labels: (N, 40), as they can be seen.
        landmarks: (N, 5, 2) pixels of the aligned images.
        boxes: (N, 4) x, y, width, height in the aligned images.
    """
    _specs(root / "faces.csv", files, faces)


def _specs(path: Path, files: list[str], faces: Faces) -> None:
    """What every image is drawn from: two seeds, and the labels asked for, seen or not."""
    names = np.array(ATTRIBUTES)
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("image,seed,identity,labels\n")
        for at, name in enumerate(files):
            on = " ".join(names[faces.labels[at]])
            lines.write(f"{name},{faces.seed[at]},{faces.identity[at]},{on}\n")
