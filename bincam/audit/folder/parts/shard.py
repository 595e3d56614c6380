"""A shard: the measurements of consecutive images, the table of their records, and what a resumed run needs of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import PART_SCHEMA
from bincam.audit.folder.manifest import Manifest
from bincam.audit.folder.parts.boxes import Rows
from bincam.audit.folder.parts.sets import output_names
from bincam.audit.folder.schema import record_schema
from bincam.audit.folder.stored import one_nan, present
from bincam.files import read_json, write_json
from bincam.stats.outcomes import OUTCOMES

_STATE_KIND = "bincam-audit-state"


@dataclass(frozen=True)
class Shard:
    """The measurements of B consecutive images.

    Attributes:
        columns: ``row`` as ``(B,)``; every other column of the records but ``attribute`` as ``(B, A)``; ``outcome``
            consists of indices into ``OUTCOMES``, -1 for unknown, ``output`` of indices into ``output_names``.
        maps: Method to ``(B, A, h, w)``, σS.
        sums: Arrays that are added up over all shards, in float64.
        skipped: Rows of images that could not be read, with the reason.
        scores: ``(B, outputs of all sets)``, raw scores; None without sets.
        set_scores: Likewise, logits of the second head for label sets; None where the model has none.
        cells: Tensors of the prediction grid, see ``read_cells``; None without one.
        boxes: Rows of pairs of an image and an attribute that it has, see ``Rows``; None where no boxes are measured.
    """

    columns: Mapping[str, NDArray[Any]]
    maps: Mapping[str, NDArray[np.floating]]
    sums: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)
    scores: NDArray[np.float32] | None = None
    set_scores: NDArray[np.float32] | None = None
    boxes: Rows | None = None
    cells: Mapping[str, NDArray[Any]] | None = None


def records_table(manifest: Manifest, shard: Shard) -> Any:
    """Make the table of a shard's records: a row per image and attribute, in the columns of ``record_schema``."""
    import pyarrow as pa

    schema, large = record_schema(manifest.methods, manifest.mask_kinds, **manifest.of_records), manifest.large_sets
    names = list(manifest.attributes)
    rows = np.asarray(shard.columns["row"], np.int32)
    shape = (len(rows), len(names))
    outcome = np.asarray(shard.columns["outcome"], np.int16).reshape(-1)
    columns: dict[str, Any] = {
        "row": np.repeat(rows, len(names)),
        "attribute": pa.DictionaryArray.from_arrays(
            pa.array(np.tile(np.arange(len(names), dtype=np.int16), len(rows))), names
        ),
        "outcome": pa.DictionaryArray.from_arrays(
            pa.array(np.where(outcome < 0, len(OUTCOMES), outcome).astype(np.int16)), [*OUTCOMES, ""]
        ),
    }
    if large:
        columns["output"] = pa.DictionaryArray.from_arrays(
            pa.array(np.asarray(shard.columns["output"], np.int16).reshape(-1)),
            list(output_names(names, manifest.one_of)),
        )
    for name in schema.names:
        if name not in columns:
            dtype = np.int8 if name == "side" else np.float32
            value = np.broadcast_to(np.asarray(shard.columns[name], dtype), shape)
            columns[name] = one_nan(value).reshape(-1)
    return pa.Table.from_arrays(
        [pa.array(columns[name], type=schema.field(name).type) for name in schema.names], schema=schema
    )


def write_state(file: Path, skipped: Mapping[int, str], digests: Mapping[str, str]) -> None:
    """Write a shard's skipped rows with their reasons, and its files' digests."""
    reasons = {str(row): reason for row, reason in sorted(skipped.items())}
    write_json(file, {"kind": _STATE_KIND, "schema": PART_SCHEMA, "skipped": reasons, "digests": dict(digests)})


def read_state(file: Path) -> tuple[dict[int, str], dict[str, str]]:
    """Read a shard's skipped rows with their reasons, and its files' digests, which earlier versions did not keep."""
    if f'"{_STATE_KIND}"' not in (text := present(file).read_text("utf-8")):
        return {int(row): reason for row, reason in json.loads(text).items()}, {}
    content = read_json(file, kind=_STATE_KIND, schema=PART_SCHEMA)
    return {int(row): reason for row, reason in content["skipped"].items()}, content["digests"]
