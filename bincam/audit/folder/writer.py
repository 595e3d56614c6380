"""An audit on disk: a folder that is written shard by shard, so that it can be cut short and gone on with.

The manifest is written first and ``summary.json`` last, so a folder with a summary is whole. A shard's records are
written after its maps and sums, so a shard with records is whole. Files hold no time of day: the same audit gives the
same bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.reader import (
    IMAGES,
    KIND,
    MANIFEST,
    SCHEMA,
    SUMMARY,
    SUMMARY_KIND,
    SUMMARY_SCHEMA,
    maps_file,
    masks_of,
    present,
    records_file,
    shard_count,
)
from bincam.audit.folder.schema import KEYS, measure_columns, record_schema
from bincam.errors import InputError
from bincam.files import atomic, read_json, write_json
from bincam.stats.outcomes import OUTCOMES

_STATE, _REFERENCES = "state", "references"
_SUFFIXES = (".json", ".npy", ".parquet", ".png", ".safetensors")


@dataclass(frozen=True)
class Shard:
    """B images in a row, measured.

    Attributes:
        columns: ``row`` as ``(B,)``; every other column of the records as ``(B, A)``: ``attribute`` is left out, and
            ``outcome`` holds indices into ``OUTCOMES``, -1 for unknown.
        maps: Method to ``(B, A, h, w)``, σS.
        sums: Arrays that are added up over all shards, in float64.
        skipped: Rows of images that could not be read, with the reason.
    """

    columns: Mapping[str, NDArray[Any]]
    maps: Mapping[str, NDArray[np.floating]]
    sums: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)


def check_free(folder: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something else, or an audit that nobody asked to go on with.

    Raises:
        InputError: It does.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder")
    if (folder / MANIFEST).is_file():
        if not resume:
            raise InputError(f"{folder} holds an audit already; --resume goes on with it, or choose another folder")
        return
    # A process killed before the manifest leaves references, and the hidden file that it was writing.
    mine = (_REFERENCES, ".")
    odd = sorted(file.name for file in folder.iterdir() if not file.name.startswith(mine)) if folder.is_dir() else []
    if odd:
        raise InputError(f"{folder} holds something else ({odd[0]}, ...); choose a new or empty folder")


def begin(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, or see that the one which is there says the same.

    What a killed process has left is removed: hidden files that it was writing, and beside a summary the state.

    Raises:
        InputError: The audit there has other settings, with the first of them.
    """
    if not (folder / MANIFEST).is_file():
        _tidy(folder)
        write_json(folder / MANIFEST, {"kind": KIND, "schema": SCHEMA, **manifest})
        return
    found = read_json(folder / MANIFEST, kind=KIND, schema=SCHEMA)
    for name in dict.fromkeys([*manifest, *found]):
        if name not in ("kind", "schema", "settings_digest") and found.get(name) != manifest.get(name):
            raise InputError(
                f"{folder}: the audit there was begun with another {name} ({_short(found.get(name))}, now "
                f"{_short(manifest.get(name))}); choose another folder, or the same settings"
            )
    _tidy(folder)


def _tidy(folder: Path) -> None:
    for file in folder.rglob(".*-*"):
        if file.suffix in _SUFFIXES:
            file.unlink()
    if (folder / SUMMARY).is_file():
        shutil.rmtree(folder / _STATE, ignore_errors=True)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``, which marks the audit as whole; what only a resumed run needs is removed."""
    write_json(folder / SUMMARY, {"kind": SUMMARY_KIND, "schema": SUMMARY_SCHEMA, **summary}, compact=True)
    shutil.rmtree(folder / _STATE, ignore_errors=True)


def write_shard(folder: Path, manifest: Mapping[str, Any], number: int, shard: Shard) -> None:
    """Write a shard: its maps and sums, then its records.

    Args:
        folder: The audit's.
        manifest: Names attributes, methods and masks.
        number: Of the shard, from 0.
        shard: What was measured.
    """
    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    for method in manifest["methods"]:
        with atomic(maps_file(folder, method, number)) as part, part.open("wb") as file:
            np.save(file, np.ascontiguousarray(shard.maps[method], np.float16), allow_pickle=False)
    state = folder / _STATE / f"part-{number:05d}"
    with atomic(state.with_suffix(".safetensors")) as part:
        save_file({name: np.ascontiguousarray(value, np.float64) for name, value in shard.sums.items()}, part)
    write_json(state.with_suffix(".json"), {str(row): reason for row, reason in sorted(shard.skipped.items())})
    with atomic(records_file(folder, number)) as part:
        pq.write_table(_records(manifest, shard), part, compression="zstd", use_dictionary=["attribute", "outcome"])


def _records(manifest: Mapping[str, Any], shard: Shard) -> Any:
    import pyarrow as pa

    methods, masks = tuple(manifest["methods"]), masks_of(manifest)
    schema = record_schema(methods, masks)
    names = list(manifest["attributes"])
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
    for name in (*KEYS, *measure_columns(methods, masks)):
        if name not in columns:
            dtype = np.int8 if name == "side" else np.float32
            value = np.broadcast_to(np.asarray(shard.columns[name], dtype), shape)
            columns[name] = np.ascontiguousarray(value).reshape(-1)
    return pa.Table.from_arrays(
        [pa.array(columns[name], type=schema.field(name).type) for name in schema.names], schema=schema
    )


def state_file(folder: Path, name: str) -> Path:
    """A file that only a resumed run needs."""
    return folder / _STATE / name


def write_images(folder: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write ``images.parquet``.

    Args:
        folder: The audit's.
        columns: ``image``, ``identity``, ``group.*`` and ``skipped``, a string per image each.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = len(columns["image"])
    arrays = {"row": pa.array(np.arange(count, dtype=np.int32))}
    arrays |= {name: pa.array([str(value) for value in values], pa.string()) for name, values in columns.items()}
    with atomic(folder / IMAGES) as part:
        pq.write_table(pa.table(arrays), part, compression="zstd")


def write_tensors(folder: Path, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``MEANS`` (``METHOD.sum`` and ``METHOD.count``) or ``REGIONS`` (``regions``)."""
    from safetensors.numpy import save_file

    with atomic(folder / name) as part:
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, part)


def read_sums(folder: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, NDArray[np.float64]], dict[int, str]]:
    """The sums of all shards, added in their order, and what was skipped."""
    from safetensors.numpy import load_file

    sums: dict[str, NDArray[np.float64]] = {}
    skipped: dict[int, str] = {}
    for number in range(shard_count(manifest)):
        state = folder / _STATE / f"part-{number:05d}"
        for name, value in load_file(present(state.with_suffix(".safetensors"))).items():
            sums[name] = sums[name] + value if name in sums else value
        skipped |= _skipped(state.with_suffix(".json"))
    return sums, skipped


def _skipped(file: Path) -> dict[int, str]:
    return {int(row): reason for row, reason in json.loads(present(file).read_text(encoding="utf-8")).items()}
