"""The files of an audit's boxes: ``boxes/part-*.parquet``, a row per image and attribute that the image has.

They stand beside the records, because few pairs have a true box, and a curve over τ is a hundred numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import part_file
from bincam.audit.folder.stored import one_nan, read_table
from bincam.errors import InputError
from bincam.files import atomic
from bincam.metrics.localization.boxes.overlaps import NO_TRUTH, STATUSES, decoded
from bincam.metrics.localization.boxes.protocols.levels import LEVELS

if TYPE_CHECKING:
    import pyarrow as pa

KIND, SCHEMA = "bincam-audited-boxes", 1
REFERENCE = "references/boxes.json"
NOT_SAMPLED = len(STATUSES)
STATUS = (*STATUSES, "not sampled")
"""What a row's ``status`` says."""

NUMBERS = ("cam", "centred", "constant", "projected", "reach", "pointing", "pointing_chance", "pointing_centre")
CURVES = ("one", "several", "projected_one")
BOXES = ("box", "true_box")
PIXELS = 2 * (len(LEVELS) + 1)
"""Numbers of a row's ``pixels``: those of the object's mask by the highest level that they are above, then others."""

Rows = Mapping[str, NDArray[Any]]
"""Columns of n rows: ``row`` and ``column`` (the attribute's among the rows of an image) ``(n,)``, ``status`` ``(n,)``,
``NUMBERS`` ``(n,)``, ``BOXES`` ``(n, 4)``, ``CURVES`` ``(n, L)`` and ``pixels`` ``(n, PIXELS)``."""


@cache
def box_schema() -> pa.Schema:
    """Return the arrow schema of ``boxes/*.parquet``."""
    import pyarrow as pa

    names = pa.dictionary(pa.int16(), pa.string())
    fields = [("row", pa.int32()), ("attribute", names), ("status", names)]
    fields += [(name, pa.float32()) for name in NUMBERS]
    fields += [(name, pa.list_(pa.float32(), 4)) for name in BOXES]
    fields += [(name, pa.list_(pa.uint8(), len(LEVELS))) for name in CURVES]
    fields += [("pixels", pa.list_(pa.uint32(), PIXELS))]
    return pa.schema([pa.field(*one) for one in fields], {"kind": KIND, "schema": str(SCHEMA)})


def boxes_file(folder: Path, number: int) -> Path:
    """Return the path of a shard's boxes."""
    return part_file(folder, "boxes", number, ".parquet")


def write_boxes(folder: Path, number: int, rows: Rows, attributes: Sequence[str]) -> None:
    """Write the boxes of a shard, atomically.

    Args:
        folder: The audit's folder.
        number: Of the shard.
        rows: See ``Rows``.
        attributes: The rows of an image in the records.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, arrays = box_schema(), {}
    for field in schema:
        if field.name == "attribute":
            arrays[field.name] = pa.DictionaryArray.from_arrays(
                pa.array(rows["column"].astype(np.int16)), list(attributes)
            )
        elif field.name == "status":
            arrays[field.name] = pa.DictionaryArray.from_arrays(pa.array(rows["status"].astype(np.int16)), list(STATUS))
        elif pa.types.is_fixed_size_list(field.type):
            values = pa.array(one_nan(rows[field.name]).reshape(-1), field.type.value_type)
            arrays[field.name] = pa.FixedSizeListArray.from_arrays(values, field.type.list_size)
        else:
            arrays[field.name] = pa.array(one_nan(rows[field.name]), field.type)
    table = pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema)
    with atomic(boxes_file(folder, number)) as part:
        pq.write_table(table, part, compression="zstd", use_dictionary=["attribute", "status"])


@dataclass(frozen=True)
class BoxRecords:
    """The boxes of an audit, of n pairs of an image and an attribute that the image has.

    Attributes:
        row: ``(n,)``: the image, as in the records.
        attribute: ``(n,)``: names.
        status: ``(n,)`` int8: indices into ``STATUS``.
        numbers: ``NUMBERS`` to ``(n,)``, NaN where undefined; IoU with the box around the object, or a share.
        boxes: ``BOXES`` to ``(n, 4)``: that of the map at τ = .2 and that around the object, in pixels of the crop.
        curves: ``CURVES`` to ``(n, L)`` uint8, see ``bincam.metrics.localization.boxes.overlaps.decoded``.
        pixels: ``(n, 2, L + 1)``: see ``PIXELS``; zeros without a mask.
    """

    row: NDArray[np.int64]
    attribute: NDArray[Any]
    status: NDArray[np.int8]
    numbers: Mapping[str, NDArray[np.float32]]
    boxes: Mapping[str, NDArray[np.float32]]
    curves: Mapping[str, NDArray[np.uint8]]
    pixels: NDArray[np.int64]

    def some(self, kept: NDArray[np.bool_]) -> BoxRecords:
        """Return some of the rows, ``kept`` ``(n,)``."""
        return BoxRecords(
            self.row[kept],
            self.attribute[kept],
            self.status[kept],
            {name: values[kept] for name, values in self.numbers.items()},
            {name: values[kept] for name, values in self.boxes.items()},
            {name: values[kept] for name, values in self.curves.items()},
            self.pixels[kept],
        )

    def of(self, attribute: str) -> BoxRecords:
        """Return the rows of one attribute."""
        return self.some(self.attribute == attribute)

    @property
    def measured(self) -> BoxRecords:
        """The rows that have a true box and were drawn."""
        return self.some((self.status != NOT_SAMPLED) & (self.status != NO_TRUTH))

    def hits(self, curve: str, delta: float) -> NDArray[np.bool_]:
        """Mark the levels at which the box of one of ``CURVES`` has IoU ≥ δ, ``(n, L)``; no box is a miss."""
        hits: NDArray[np.bool_] = np.nan_to_num(decoded(self.curves[curve]), nan=-1.0) >= delta
        return hits


def read_boxes(folder: Path, shards: int, rows: NDArray[np.int64] | None = None) -> BoxRecords:
    """Read the boxes of all shards.

    Args:
        folder: The audit's folder.
        shards: Number of shards.
        rows: Images to read, by their rows in ``images.parquet``; all by default.

    Raises:
        InputError: A file is missing, broken, or of another kind or schema.
    """
    import pyarrow as pa

    parts = []
    for number in range(shards):
        file = boxes_file(folder, number)
        part = read_table(file)
        stated = {name.decode(): value.decode() for name, value in (part.schema.metadata or {}).items()}
        if (stated.get("kind"), stated.get("schema")) != (KIND, str(SCHEMA)):
            got = f"kind {stated.get('kind')!r} and schema {stated.get('schema')!r}"
            raise InputError(f"{file}: got {got}, expected {KIND!r} and {str(SCHEMA)!r}; make the audit again")
        if part.schema.remove_metadata() != box_schema().remove_metadata():
            raise InputError(f"{file}: other columns than an audit's boxes have; make the audit again")
        parts.append(part if rows is None else part.filter(pa.array(np.isin(part["row"].to_numpy(), rows))))
    table = pa.concat_tables(parts).combine_chunks() if parts else box_schema().empty_table()

    def lists(name: str, width: int) -> NDArray[Any]:
        column = table.column(name).combine_chunks()
        values: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        return values

    def texts(name: str) -> NDArray[Any]:
        return np.array(table.column(name).to_pylist(), dtype=object)

    code = {name: number for number, name in enumerate(STATUS)}
    return BoxRecords(
        table.column("row").to_numpy().astype(np.int64),
        texts("attribute"),
        np.array([code[name] for name in texts("status")], np.int8),
        {name: table.column(name).to_numpy() for name in NUMBERS},
        {name: lists(name, 4) for name in BOXES},
        {name: lists(name, len(LEVELS)) for name in CURVES},
        lists("pixels", PIXELS).reshape(-1, 2, len(LEVELS) + 1).astype(np.int64),
    )
