"""Boxes given by a file: a table of boxes, ``boxes.parquet`` beside a table of labels.

It has the columns ``path``, ``name``, ``x0``, ``y0``, ``x1`` and ``y1``, and a row per box.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data.regions.boxes import Boxes, checked_boxes, cropped_boxes
from bincam.errors import InputError, nearest
from bincam.files import atomic, regular

NAME = "boxes.parquet"
KIND = "bincam-boxes"
SCHEMA = 1
KEYS = ("path", "name")
ENDS = ("x0", "y0", "x1", "y1")
Row = tuple[str, str, float, float, float, float]


@dataclass(frozen=True)
class BoxTable:
    """Boxes of the objects in each image, in pixels of the stored image, ends exclusive.

    Attributes:
        boxes: ``(K, 4)`` by path of the image, as the table has it, and name of the attribute. Several boxes are
            several objects of that name, or parts of one.
        source: Where they were read from, for messages.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.data import BoxTable, write_box_table
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "boxes.parquet")
        ...     write_box_table(file, [("a.png", "star", 3, 4, 20, 30), ("a.png", "ring", 40, 40, 60, 60)])
        ...     boxes = BoxTable.read(file)
        >>> boxes.of("a.png", "star").tolist(), boxes.of("a.png", "heart").tolist()
        ([[3.0, 4.0, 20.0, 30.0]], [])
    """

    boxes: Mapping[tuple[str, str], Boxes]
    source: str = field(default="boxes", compare=False)

    @property
    def paths(self) -> frozenset[str]:
        """The images that have a box."""
        return frozenset(path for path, _ in self.boxes)

    @property
    def names(self) -> frozenset[str]:
        """The attributes that have a box in some image."""
        return frozenset(name for _, name in self.boxes)

    def of(self, path: str, name: str, stored: tuple[int, int] | None = None) -> Boxes:
        """Return the boxes of an attribute in an image, ``(K, 4)``; K is 0 where the file has none.

        Args:
            path: Of the image.
            name: Of the attribute.
            stored: ``(H, W)`` of the stored image, against which the boxes are then checked.

        Raises:
            InputError: A box is not inside the image.
        """
        found = self.boxes.get((path, name), np.zeros((0, 4)))
        return found if stored is None else checked_boxes(found, stored, f"{self.source}: {path}, {name}")

    def cropped(
        self, path: str, names: Sequence[str], matrix: Any, stored: tuple[int, int], size: tuple[int, int]
    ) -> list[Boxes]:
        """Move the boxes of several attributes into the crop of an image, see ``cropped_boxes``.

        Args:
            path: Of the image.
            names: The A attributes.
            matrix: ``(2, 3)``, the crop, from stored pixels to those of ``size``.
            stored: ``(H, W)`` of the stored image.
            size: ``(H, W)`` of the crop.

        Returns:
            ``(K, 4)`` for each attribute.
        """
        return [cropped_boxes(self.of(path, name, stored), matrix, size) for name in names]

    def renamed(self, names: Mapping[str, str]) -> BoxTable:
        """Return the boxes with other names of attributes; those that are not mentioned keep theirs.

        >>> boxes = BoxTable({("a.png", "class=star"): np.array([[3.0, 4, 20, 30]])})
        >>> boxes.renamed({"class=star": "star"}).of("a.png", "star").tolist()
        [[3.0, 4.0, 20.0, 30.0]]
        """
        return BoxTable({(path, names.get(name, name)): ends for (path, name), ends in self.boxes.items()}, self.source)

    def digest(self) -> str:
        """SHA-256 of the boxes, whatever file or folder they were read from."""
        state = hashlib.sha256()
        for (path, name), ends in sorted(self.boxes.items(), key=lambda item: item[0]):
            state.update(f"{path}\0{name}\0{len(ends)}\0".encode())
            state.update(np.ascontiguousarray(ends, "<f8").tobytes())
        return state.hexdigest()

    def check(self, paths: Iterable[str], names: Iterable[str]) -> None:
        """Refuse boxes of which none is of the given images, or of the given attributes.

        Raises:
            InputError: With a path or a name that the file has, and the closest one that was expected.
        """
        for what, own, wanted in (("image", self.paths, set(paths)), ("attribute", self.names, set(names))):
            if own and not own & wanted:
                one = min(own)
                raise InputError(
                    f"{self.source}: no box is of {'an image' if what == 'image' else 'an attribute'} of the table; "
                    f"the file has {what} {one!r}{nearest(one, sorted(wanted))}"
                )

    @classmethod
    def read(cls, file: str | os.PathLike[str]) -> BoxTable:
        """Read a table of boxes, such as ``write_box_table`` writes.

        Raises:
            InputError: The file is missing, of another kind or schema, lacks a column, or has a box without area.
        """
        path = Path(file)
        rows = _checked_rows(_from_parquet(path), path)
        grouped: dict[tuple[str, str], list[Sequence[float]]] = {}
        for image, name, *ends in rows:
            grouped.setdefault((image, name), []).append(ends)
        return cls({key: np.array(ends, np.float64) for key, ends in grouped.items()}, str(path))


def write_box_table(file: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Write a table of boxes as Parquet, atomically.

    Args:
        file: Ends in ``.parquet``; a table's boxes are found as ``boxes.parquet`` beside it.
        rows: Path of the image as the table has it, name of the attribute, x0, y0, x1, y1 in pixels of the stored
            image, ends exclusive.

    Raises:
        InputError: A box has no area, or the file's name has another suffix.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.data import BoxTable, write_box_table
        >>> with TemporaryDirectory() as folder:
        ...     write_box_table(Path(folder, "boxes.parquet"), [("a.png", "star", 3, 4, 20, 30)])
        ...     BoxTable.read(Path(folder, "boxes.parquet")).names
        frozenset({'star'})
    """
    path = Path(file)
    if path.suffix != ".parquet":
        raise InputError(f"{path}: a table of boxes is a .parquet file")
    kept = _checked_rows(list(rows), path)
    columns: dict[str, list[Any]] = {key: [row[at] for row in kept] for at, key in enumerate(KEYS)}
    columns |= {end: [float(row[at]) for row in kept] for at, end in enumerate(ENDS, len(KEYS))}
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(key, pa.string()) for key in KEYS] + [pa.field(end, pa.float64()) for end in ENDS]
    schema = pa.schema(fields, {"kind": KIND, "schema": str(SCHEMA)})
    with atomic(path) as part:
        pq.write_table(pa.table(columns, schema=schema), part)


def _checked_rows(rows: list[Row], path: Path) -> list[Row]:
    """Return rows, or refuse the first that names nothing or has no area; all are looked at together."""
    ends = np.array([row[2:] for row in rows], np.float64).reshape(-1, 4)
    unnamed = np.array([not (image and name) for image, name, *_ in rows], bool)
    wrong = ~np.isfinite(ends).all(1) | (ends[:, 2:] <= ends[:, :2]).any(1) | unnamed
    for at in np.flatnonzero(wrong)[:1].tolist():
        image, name, *of_box = rows[at]
        if unnamed[at]:
            raise InputError(f"{path}: box {at + 1} names no {'image' if not image else 'attribute'}")
        checked_boxes(of_box, where=f"{path}: box {at + 1} ({image}, {name})")
    return rows


def _from_parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    regular(path)
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # text that is not UTF-8
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as Parquet: {reason}") from None
    stated = {
        key.decode(): value.decode("utf-8", "replace")
        for key, value in (table.schema.metadata or {}).items()
        if key in (b"kind", b"schema")
    }
    if stated.get("kind") != KIND:
        raise InputError(
            f"{path}: expected a {KIND} file, got {stated.get('kind')!r}; bincam.data.write_box_table writes one"
        )
    if stated.get("schema") != str(SCHEMA):
        raise InputError(f"{path}: schema {stated.get('schema')!r}, but this bincam reads schema {SCHEMA}")
    for column in (*KEYS, *ENDS):
        if column not in table.column_names:
            raise InputError(f"{path}: no column {column!r}{nearest(column, table.column_names)}")
    texts = [pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view]
    numbers = [pa.types.is_integer, pa.types.is_floating]
    for columns, kinds, what in ((KEYS, texts, "text"), (ENDS, numbers, "numbers")):
        for column in columns:
            kind = table.schema.field(column).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind  # as pandas writes a category
            if not any(is_kind(kind) for is_kind in kinds):
                raise InputError(
                    f"{path}: columns {', '.join(columns)} must be {what} in every row; {column} is {kind}"
                )
    values = [table.column(column).to_pylist() for column in (*KEYS, *ENDS)]
    try:
        return [
            (image or "", name or "", float(x0), float(y0), float(x1), float(y1))
            for image, name, x0, y0, x1, y1 in zip(*values, strict=True)
        ]
    except TypeError:
        raise InputError(f"{path}: columns {', '.join(ENDS)} must be numbers in every row; one is empty") from None
