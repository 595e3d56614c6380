"""Small data sets in the layouts that the formats' own libraries write."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

CELL = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def png(number: int, size: tuple[int, int] = (8, 9)) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file := BytesIO(), "PNG")
    return file.getvalue()


FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["cat", "dog", "10-19"], "_type": "ClassLabel"},
    "smiling": {"dtype": "bool", "_type": "Value"},
    "tags": {"feature": {"names": ["red", "big"], "_type": "ClassLabel"}, "_type": "List"},
    "who": {"dtype": "string", "_type": "Value"},
}


def rows(count: int = 6, features: Mapping | None = FEATURES, **columns) -> pa.Table:
    """A table with the schema and the metadata that ``datasets`` gives it."""
    every = {
        "image": pa.array([{"bytes": png(i), "path": f"{i}.png"} for i in range(count)], CELL),
        "label": pa.array([i % 3 for i in range(count)], pa.int64()),
        "smiling": pa.array([None if i == 2 else i % 2 == 0 for i in range(count)]),
        "tags": pa.array([None if i == 3 else [0, 1][: i % 3] for i in range(count)], pa.list_(pa.int64())),
        "who": pa.array([f"person {i // 2}" for i in range(count)]),
        **columns,
    }
    metadata = None if features is None else {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(every).replace_schema_metadata(metadata)


def save_to_disk(folder: Path, table: pa.Table, shards: int = 1) -> Path:
    """Write the files of ``Dataset.save_to_disk``: Arrow streams of several batches, info and state."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    bounds = np.linspace(0, len(table), shards + 1).astype(int)
    for name, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.slice(start, stop - start), max_chunksize=2)
    (folder / "dataset_info.json").write_text(json.dumps({"description": "", "features": FEATURES}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": n} for n in names], "_split": None}))
    return folder


def save_dict(folder: Path, table: pa.Table, **splits: slice) -> Path:
    """Write the files of ``DatasetDict.save_to_disk``."""
    for name, part in splits.items():
        save_to_disk(folder / name, table.slice(part.start, part.stop - part.start), shards=2)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    return folder


def write_parquet(file: Path, table: pa.Table, **options) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, file, **{"row_group_size": 2, **options})
    return file


def write_tar(file: Path, members: Mapping[str, bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return file
