"""An audit on disk: a folder that is written shard by shard, and read as a whole.

The manifest is written first and ``summary.json`` last, so a folder with a summary is whole. A shard's records are
written after its maps and sums, so a shard with records is whole. Files hold no time of day: the same audit gives the
same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.columns import KEYS, MASKS, OUTCOMES, measure_columns, record_schema
from bincam.errors import InputError, nearest
from bincam.files import atomic, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

KIND, SCHEMA = "bincam-audit", 1
SUMMARY_KIND, SUMMARY_SCHEMA = "bincam-summary", 1
MANIFEST, SUMMARY, IMAGES = "manifest.json", "summary.json", "images.parquet"
MEANS, REGIONS, MEAN_IMAGE = "maps/means.safetensors", "maps/regions.safetensors", "maps/mean_image.png"
_STATE = "state"
_NEEDED = ("attributes", "methods", "train_counts", "thresholds", "data", "model", "shard_images", "settings_digest")


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


@dataclass(frozen=True)
class Audit:
    """A whole audit, read where it is asked for.

    Attributes:
        folder: Where it lies.
        manifest: What was audited, and how.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The audited attributes, in the order of the records."""
        return tuple(self.manifest["attributes"])

    @property
    def methods(self) -> tuple[str, ...]:
        """The specs of the methods, ``NAME`` or ``NAME@LAYER``; the first is the primary one."""
        return tuple(self.manifest["methods"])

    @property
    def masks(self) -> tuple[str, ...]:
        """Which per-image masks were measured: ``object``, ``influence``."""
        return masks_of(self.manifest)

    @property
    def shards(self) -> int:
        """Number of files of records."""
        return shard_count(self.manifest)

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row per image: ``row``, ``image``, ``identity``, ``group.*``, ``skipped`` (the reason, else empty)."""
        import pyarrow.parquet as pq

        return pq.read_table(_present(self.folder / IMAGES)).to_pandas()

    def records(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A row per image and attribute, ordered by image, then attribute.

        Args:
            columns: Which to read; all by default.

        Returns:
            ``attribute`` and ``outcome`` are categorical: the attributes in order, and TP, FP, FN, TN and "".

        Raises:
            InputError: An unknown column, or a file that is not there or not of this audit.
        """
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = record_schema(self.methods, self.masks)
        for name in columns or ():
            if name not in schema.names:
                raise InputError(f"{self.folder}: the records have no column {name!r}{nearest(name, schema.names)}")
        parts = []
        for number in range(self.shards):
            file = _present(records_file(self.folder, number))
            try:
                parts.append(pq.read_table(file, columns=None if columns is None else list(columns)))
            except pa.ArrowException as error:
                raise InputError(f"{file}: not the records of an audit: {error}") from None
        frame = pa.concat_tables(parts).unify_dictionaries().to_pandas()
        for name, words in (("attribute", self.attributes), ("outcome", (*OUTCOMES, ""))):
            if name in frame:
                frame[name] = pd.Categorical(frame[name], categories=list(words))
        return frame

    def means(self, method: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums of maps by outcome, and how many maps went in.

        Args:
            method: A spec; the primary one by default.

        Returns:
            Sums of σS ``(A, 4, h, w)`` and counts ``(A, 4)``, in the order of ``OUTCOMES``.
        """
        from safetensors.numpy import load_file

        spec = self._spec(method)
        held = load_file(_present(self.folder / MEANS))
        return held[f"{spec}.sum"], held[f"{spec}.count"]

    def maps(self, method: str | None = None) -> Iterator[NDArray[np.float16]]:
        """The maps σS on their native grid, shard by shard: ``(B, A, h, w)`` of the images that were read."""
        spec = self._spec(method)
        for number in range(self.shards):
            yield np.load(_present(maps_file(self.folder, spec, number)), mmap_mode="r", allow_pickle=False)

    def regions(self) -> NDArray[np.float16]:
        """The mean region of each attribute ``(A, H', W')``; NaN for an attribute without one."""
        from safetensors.numpy import load_file

        return load_file(_present(self.folder / REGIONS))["regions"]

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the records come to; None where the audit is not finished."""
        file = self.folder / SUMMARY
        return read_json(file, kind=SUMMARY_KIND, schema=SUMMARY_SCHEMA) if file.is_file() else None

    def minority(self, attribute: str) -> int:
        """+1 or -1: the class that was rarer in training; the positive one where both are equally frequent."""
        negatives, positives = self.manifest["train_counts"][self._known(attribute)]
        return 1 if positives <= negatives else -1

    def _known(self, attribute: str) -> str:
        if attribute not in self.attributes:
            raise InputError(f"{self.folder}: unknown attribute {attribute!r}{nearest(attribute, self.attributes)}")
        return attribute

    def _spec(self, method: str | None) -> str:
        if method is None:
            return self.methods[0]
        if method not in self.methods:
            raise InputError(f"{self.folder}: not audited with {method!r}{nearest(method, self.methods)}")
        return method


def open_audit(path: str | os.PathLike[str], *, unfinished: bool = False) -> Audit:
    """Read an audit's folder.

    Args:
        path: The folder.
        unfinished: Accept one without a summary; what is read from it may be missing.

    Raises:
        InputError: It is no audit, of another schema version, half-written, or its records are of other attributes.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; 'bincam audit --out {folder}' makes one")
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: holds no {MANIFEST}, so it is no audit")
    manifest = read_json(folder / MANIFEST, kind=KIND, schema=SCHEMA)
    missing = [name for name in _NEEDED if name not in manifest]
    if missing:
        raise InputError(f"{folder / MANIFEST}: no {', '.join(missing)} in it; make the audit again")
    audit = Audit(folder, manifest)
    if unfinished:
        return audit
    if not (folder / SUMMARY).is_file():
        whole = whole_shards(folder, manifest)
        raise InputError(
            f"{folder}: half-written: {whole} of {audit.shards} shards and no {SUMMARY}; finish it with the same "
            "'bincam audit ... --resume'"
        )
    for number in range(audit.shards):
        _present(records_file(folder, number))
    _check_records(audit)
    return audit


def _check_records(audit: Audit) -> None:
    """Refuse a folder whose first records are not what its manifest says."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if audit.shards == 0:
        return
    file = records_file(audit.folder, 0)
    try:
        found = pq.read_schema(file)
        first = pq.read_table(file, columns=["attribute"])["attribute"]
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: not the records of an audit: {error}") from None
    expected = record_schema(audit.methods, audit.masks)
    if found.names != expected.names:
        odd = sorted(set(found.names) ^ set(expected.names)) or found.names
        raise InputError(f"{file}: other columns than {MANIFEST} says (first: {odd[0]!r}); make the audit again")
    names = first[: len(audit.attributes)].to_pylist()
    if names and tuple(names) != audit.attributes:
        at = next((n for n, (a, b) in enumerate(zip(names, audit.attributes, strict=False)) if a != b), len(names))
        raise InputError(
            f"{file}: other attributes, or in another order, than {MANIFEST} says (at position {at}: "
            f"{names[at] if at < len(names) else 'nothing'!r}, expected {audit.attributes[at]!r}); make the audit again"
        )


def masks_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The per-image masks that a manifest says were measured."""
    folders = manifest.get("masks") or {}
    return tuple(name for name in MASKS if folders.get(name))


def shard_count(manifest: Mapping[str, Any]) -> int:
    """How many shards the audit of a manifest has."""
    return -(-int(manifest["data"]["images"]) // int(manifest["shard_images"]))


def records_file(folder: Path, number: int) -> Path:
    """The records of a shard."""
    return folder / "records" / f"part-{number:05d}.parquet"


def maps_file(folder: Path, method: str, number: int) -> Path:
    """The maps of a shard."""
    return folder / "maps" / method_folder(method) / f"part-{number:05d}.npy"


def method_folder(method: str) -> str:
    """A method's spec as the name of a folder: characters that a file system may refuse become ``-``."""
    return re.sub(r"[^A-Za-z0-9_.@+-]", "-", method)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``manifest.json``, which marks the folder as an audit."""
    write_json(folder / MANIFEST, {"kind": KIND, "schema": SCHEMA, **manifest})


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``, which marks the audit as whole; what only a resumed run needs is removed."""
    write_json(folder / SUMMARY, {"kind": SUMMARY_KIND, "schema": SUMMARY_SCHEMA, **summary})
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


def whole_shards(folder: Path, manifest: Mapping[str, Any]) -> int:
    """How many shards, from the first on, are whole: a resumed run goes on after them."""
    total = shard_count(manifest)
    return next((number for number in range(total) if not records_file(folder, number).is_file()), total)


def read_sums(folder: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, NDArray[np.float64]], dict[int, str]]:
    """The sums of all shards, added in their order, and what was skipped."""
    from safetensors.numpy import load_file

    sums: dict[str, NDArray[np.float64]] = {}
    skipped: dict[int, str] = {}
    for number in range(shard_count(manifest)):
        state = folder / _STATE / f"part-{number:05d}"
        for name, value in load_file(_present(state.with_suffix(".safetensors"))).items():
            sums[name] = sums[name] + value if name in sums else value
        skipped |= _skipped(state.with_suffix(".json"))
    return sums, skipped


def _skipped(file: Path) -> dict[int, str]:
    import json

    return {int(row): reason for row, reason in json.loads(_present(file).read_text(encoding="utf-8")).items()}


def _present(file: Path) -> Path:
    if not file.is_file():
        raise InputError(f"{file}: no such file; the audit is not whole, make it again")
    return file
