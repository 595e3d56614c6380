"""The label files of a set of generated faces: CelebA's, and what only generated faces have."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data import AttributeTable, write_labels
from bincam.data.describe import SPLITS
from bincam.errors import InputError
from bincam.faces.labels.parts import table
from bincam.faces.labels.sampler import Faces
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec, index
from bincam.files import atomic, write_json

SPECS = "faces.csv"


def write_tables(
    root: Path,
    files: list[str],
    faces: Faces,
    *,
    labels: NDArray[np.bool_],
    landmarks: NDArray[np.float64],
    boxes: NDArray[np.float64],
) -> None:
    """Write attributes, partition, landmarks, boxes, identities, parts, and how each face is drawn again.

    Args:
        root: The folder.
        files: N image names.
        faces: As drawn.
        labels: (N, 40), as they can be seen.
        landmarks: (N, 5, 2) pixels of the aligned images.
        boxes: (N, 4) x, y, width, height in the aligned images.
    """
    labelled = AttributeTable(
        names=ATTRIBUTES,
        labels=labels.astype(np.float32),
        ids=tuple(files),
        root=root,
        splits=np.array(SPLITS)[faces.split],
        identities=faces.person.astype(np.str_),
        landmarks=landmarks.astype(np.float32),
        boxes=boxes.astype(np.float32),
    )
    write_labels(labelled, root)
    _write_specs(root / SPECS, files, faces)
    _write_parts(root / "masks" / "parts.json")


def specs(root: str | Path) -> dict[str, FaceSpec]:
    """How every image of a made folder is drawn again, by image name.

    Raises:
        InputError: The folder has no ``faces.csv``, or a row of it cannot be read.
    """
    path = Path(root) / SPECS
    result: dict[str, FaceSpec] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            for row in rows:
                on = {index(name) for name in row["labels"].split()}
                labels = tuple(column in on for column in range(len(ATTRIBUTES)))
                result[row["image"]] = FaceSpec(int(row["seed"]), int(row["identity"]), labels)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; only folders made by bincam faces make have one") from None
    except (KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path}:{rows.line_num}: cannot be read: {error}") from None
    return result


def _write_specs(path: Path, files: list[str], faces: Faces) -> None:
    """What every image is drawn from: two seeds, and the labels asked for, seen or not."""
    names = np.array(ATTRIBUTES)
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("image,seed,identity,labels\n")
        for at, name in enumerate(files):
            on = " ".join(names[faces.drawn[at]])
            lines.write(f"{name},{faces.seed[at]},{faces.identity[at]},{on}\n")


def _write_parts(path: Path) -> None:
    """What each value of the part masks is, and which attributes are seen in it."""
    parts = {str(number): part for number, part in table().items()}
    write_json(path, {"kind": "bincam-parts", "schema": 1, "parts": parts})
