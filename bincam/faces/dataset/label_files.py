"""The label files of a set of generated faces: those of CelebA, and those that only generated faces have."""

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
    """Write attributes, partition, landmarks, boxes, identities, parts, and the spec of every face.

    Args:
        root: The folder.
        files: N image names.
        faces: As sampled.
        labels: (N, 40), the labels that can be seen.
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
    """Read the specs of a folder made by :func:`bincam.faces.make`, from which every image can be drawn again.

    Args:
        root: The folder.

    Returns:
        Specs by image name, in the order of the images.

    Raises:
        InputError: The folder has no ``faces.csv``, or a row of it cannot be read.

    >>> import tempfile
    >>> from bincam.faces import influence, make, specs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = make(folder, 2, size=(64, 80), workers=1)
    ...     faces = specs(folder)
    >>> list(faces)
    ['000001.jpg', '000002.jpg']
    >>> influence(faces["000002.jpg"], "Bald", size=(64, 80)).shape
    (80, 64)
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
        raise InputError(f"{path}: no such file; expected a folder made by bincam faces make") from None
    except (KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path}:{rows.line_num}: cannot be read: {error}") from None
    return result


def _write_specs(path: Path, files: list[str], faces: Faces) -> None:
    """Write what every image is drawn from: two seeds, and the drawn attributes, whether visible or not."""
    names = np.array(ATTRIBUTES)
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("image,seed,identity,labels\n")
        for row, name in enumerate(files):
            on = " ".join(names[faces.drawn[row]])
            lines.write(f"{name},{faces.seed[row]},{faces.identity[row]},{on}\n")


def _write_parts(path: Path) -> None:
    """Write the name of each value of the part masks and the attributes seen in it."""
    parts = {str(number): part for number, part in table().items()}
    write_json(path, {"kind": "bincam-parts", "schema": 1, "parts": parts})
