"""Tables of pairs: an image, the same image with one attribute edited, and where it was edited."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.data.readers.table_cells import Cells, batches, column_names, place
from bincam.errors import InputError, nearest
from bincam.files import regular

REQUIRED = ("attribute", "image", "flipped")
OPTIONAL = ("influence", "identity", "label", "flipped_label")
_LABELS = {"0": 0.0, "1": 1.0, "": math.nan}


@dataclass(frozen=True)
class ImagePair:
    """One pair.

    Attributes:
        attribute: Name of the edited attribute: an output of the model.
        image: File of the original.
        flipped: File of the edited image, of the same size.
        influence: File of the mask of the edited pixels, of the same size, 0 outside; None to take the pixels that
            differ.
        identity: Person shown; where unknown, the original image, so that pairs that share it count as dependent.
        direction: 1 where the edit added the attribute, -1 where it removed it; NaN where unknown.
        landmarks: Ten numbers, x and y of ``bincam.data.LANDMARKS`` in the original, by which both images are cropped
            for a model that reads face crops; None where unknown.
    """

    attribute: str
    image: Path
    flipped: Path
    influence: Path | None
    identity: str
    direction: float
    landmarks: tuple[float, ...] | None = None


@dataclass(frozen=True)
class PairTable:
    """Pairs in the order of the file.

    Attributes:
        source: The file.
        pairs: The pairs.
        named: Whether the table names people.
    """

    source: Path
    pairs: tuple[ImagePair, ...]
    named: bool

    @property
    def attributes(self) -> tuple[str, ...]:
        """The edited attributes, in the order in which they first occur."""
        return tuple(dict.fromkeys(pair.attribute for pair in self.pairs))

    def of(self, attributes: Sequence[str]) -> PairTable:
        """Return the pairs of some attributes.

        Raises:
            InputError: There is none of one of them.
        """
        for name in attributes:
            if name not in self.attributes:
                raise InputError(f"{self.source}: no pair of {name!r}{nearest(name, self.attributes)}")
        return replace(self, pairs=tuple(pair for pair in self.pairs if pair.attribute in set(attributes)))

    def digest(self) -> str:
        """Compute the SHA-256 of the pairs and of all their files, in order.

        Raises:
            InputError: A file is missing.
        """
        state, contents = hashlib.sha256(), dict[Path, bytes]()
        for pair in self.pairs:
            state.update(f"{pair.attribute}\0{pair.identity}\0{pair.direction}\0".encode())
            if pair.landmarks is not None:
                state.update(",".join(map(repr, pair.landmarks)).encode())
            for file in (pair.image, pair.flipped, pair.influence):
                if file is not None and file not in contents:
                    contents[file] = hashlib.sha256(regular(file).read_bytes()).digest()
                state.update(b"\0" if file is None else contents[file])
        return state.hexdigest()


def read_pairs(file: str | os.PathLike[str], known: Collection[str] | None = None) -> PairTable:
    r"""Read a table of pairs; ``bincam faces pairs`` writes one.

    Args:
        file: ``.csv`` or ``.parquet`` with the columns ``attribute``, ``image`` and ``flipped``, and, where it has
            them, ``influence``, ``identity``, ``label`` and ``flipped_label`` (0, 1 or empty: of the original and of
            the edited image), and CelebA's ten columns of landmarks of the original. Files are relative to the table's
            folder. Other columns are not read.
        known: Names of the model's outputs; None to allow any.

    Raises:
        InputError: A column is missing, a cell is empty or no label, or an attribute is unknown, with file and line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.studies.counterfactual import read_pairs
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "pairs.csv")
        ...     _ = file.write_text("attribute,image,flipped,label,flipped_label\nHat,a.png,a-hat.png,0,1\n")
        ...     pairs = read_pairs(file).pairs
        >>> pairs[0].attribute, pairs[0].flipped.name, pairs[0].influence, pairs[0].direction
        ('Hat', 'a-hat.png', None, 1.0)
    """
    source = Path(file)
    columns = column_names(source)
    for name in REQUIRED:
        if name not in columns:
            raise InputError(
                f"{source}: no column {name!r}{nearest(name, columns)}; a table of pairs has {', '.join(REQUIRED)}"
            )
    there = [name for name in (*REQUIRED, *OPTIONAL) if name in columns]
    points = [name for name in LANDMARK_COLUMNS if name in columns]
    if points and len(points) < len(LANDMARK_COLUMNS):
        lacking = next(name for name in LANDMARK_COLUMNS if name not in columns)
        raise InputError(
            f"{source}: a column {points[0]!r} but none {lacking!r}; landmarks are {len(LANDMARK_COLUMNS)} columns"
        )
    pairs: list[ImagePair] = []
    for batch in batches(source):
        cells = Cells(source, batch, len(pairs))
        texts = {name: cells.texts(name).tolist() for name in there}
        marks = np.stack([cells.floats(name) for name in points], axis=1) if points else None
        for number in range(batch.num_rows):
            row = {name: texts[name][number] if name in texts else "" for name in (*REQUIRED, *OPTIONAL)}
            pair = _pair(row, source, len(pairs), known)
            if marks is not None and np.isfinite(marks[number]).all():
                pair = replace(pair, landmarks=tuple(marks[number].tolist()))
            pairs.append(pair)
    if not pairs:
        raise InputError(f"{source}: no pairs")
    return PairTable(source, tuple(pairs), named="identity" in there)


def _pair(row: dict[str, str], source: Path, number: int, known: Collection[str] | None) -> ImagePair:
    where = place(source, number)
    for name in REQUIRED:
        if not row[name]:
            raise InputError(f"{where}: empty cell in column {name!r}")
    if known is not None and row["attribute"] not in known:
        raise InputError(
            f"{where}: the model has no output {row['attribute']!r}{nearest(row['attribute'], list(known))}"
        )
    for name in ("label", "flipped_label"):
        if row[name] not in _LABELS:
            raise InputError(f"{where}: {row[name]!r} in column {name!r}; labels are 0, 1, or empty for unknown")
    change = _LABELS[row["flipped_label"]] - _LABELS[row["label"]]
    folder = source.parent
    return ImagePair(
        attribute=row["attribute"],
        image=folder / row["image"],
        flipped=folder / row["flipped"],
        influence=folder / row["influence"] if row["influence"] else None,
        identity=row["identity"] or f"image {row['image']}",
        direction=change if change else math.nan,  # an edit that cannot be seen has no direction
    )
