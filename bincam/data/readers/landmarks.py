"""Landmarks of single image files: from the data set that lists them, or from a landmark file of CelebA's form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers import celeba_labels
from bincam.errors import InputError

PathLike = str | os.PathLike[str]


def landmarks_of(table: AttributeTable, images: Sequence[PathLike]) -> list[NDArray[np.float64] | None]:
    """Look up the landmarks of image files in a data set; a file is found under whatever path it is named.

    Args:
        table: A data set with landmarks.
        images: Image files.

    Returns:
        ``(5, 2)`` x, y in the pixels of each image, NaN where the data set does not know a point; None for a file that
        is not of the data set.

    Raises:
        InputError: The data set has no landmarks.

    Example:
        >>> import numpy as np
        >>> from bincam.data import AttributeTable
        >>> from bincam.data import landmarks_of
        >>> points = np.arange(10.0).reshape(1, 5, 2)
        >>> faces = AttributeTable(("Bald",), np.array([[1]]), ["a.jpg"], "photos", landmarks=points)
        >>> [None if found is None else found[0].tolist() for found in landmarks_of(faces, ["photos/a.jpg", "a.jpg"])]
        [[0.0, 1.0], None]
    """
    if table.landmarks is None:
        raise InputError(
            f"{table.source or table.root}: the data set has no landmarks; name their columns (--landmark-columns), or "
            "the file that has them (--landmarks)"
        )
    named = [os.path.normpath(Path(image).absolute()) for image in images]
    real = [os.path.realpath(name) for name in named]
    root = table.root.absolute()
    rows = {os.path.normpath(root / name): row for row, name in enumerate(table.ids)}
    if not rows.keys() >= {*named}:  # some are found under another name only, by following links
        rows = {os.path.realpath(name): row for name, row in rows.items()} | rows
    found = (rows.get(name, rows.get(target)) for name, target in zip(named, real, strict=True))
    return [None if row is None else np.asarray(table.landmarks[row], np.float64) for row in found]


def read_landmarks_of(file: PathLike, images: Sequence[PathLike]) -> list[NDArray[np.float64] | None]:
    r"""Look up the landmarks of image files in a landmark file, ``.txt`` or ``.csv``, of CelebA's form.

    A line is that of an image whose path ends with the line's name.

    Args:
        file: The landmark file; its columns are read by their names.
        images: Image files.

    Returns:
        ``(5, 2)`` x, y in the pixels of each image; None for an image without a line.

    Raises:
        InputError: The file is malformed, or a line is that of two images, or an image has two lines.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.data import read_landmarks_of
        >>> names = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x "
        >>> text = f"1\n{names}rightmouth_y\na.jpg 69 111 108 111 88 135 72 152 106 152\n"
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "points.txt")
        ...     _ = file.write_text(text)
        ...     found = read_landmarks_of(file, ["photos/a.jpg"])
        >>> found[0][0].tolist()
        [69.0, 111.0]
    """
    rows = celeba_labels.read_landmarks(file)
    points = rows.values.astype(np.float64).reshape(-1, 5, 2)
    places = {tuple(Path(name).parts): place for place, name in enumerate(rows.lines)}
    if len(places) < len(rows.lines):
        twice = [name for place, name in enumerate(rows.lines) if places[Path(name).parts] != place]
        raise InputError(f"{rows.file}:{rows.lines[twice[0]]}: {twice[0]!r} has two lines; keep one of them")
    deepest = max(map(len, places))
    taken: dict[int, PathLike] = {}
    found: list[NDArray[np.float64] | None] = []
    for image in images:
        parts = Path(image).absolute().parts
        fitting = [places[end] for length in range(1, deepest + 1) if (end := parts[-length:]) in places]
        if len(fitting) > 1:
            names = [name for name, place in zip(rows.lines, places.values(), strict=True) if place in fitting]
            raise InputError(f"{rows.file}: both {names[0]!r} and {names[1]!r} may be {image}; give them full names")
        if fitting and (other := taken.setdefault(fitting[0], image)) != image:
            name = list(rows.lines)[fitting[0]]
            raise InputError(
                f"{rows.file}:{rows.lines[name]}: {name!r} may be {other} or {image}; put the folder before the name, "
                "or explain them one by one"
            )
        found.append(points[fitting[0]] if fitting else None)
    return found
