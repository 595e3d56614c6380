"""The files of a Hugging Face data set, and the features that its metadata state."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.data.containers.columns import arrow_batches, image_columns
from bincam.data.readers.general.shards import shards, splits_of
from bincam.data.readers.table_cells import split_name
from bincam.errors import BincamWarning, InputError

if TYPE_CHECKING:
    import pyarrow as pa

DICT, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"


@dataclass(frozen=True)
class Shard:
    """One file of rows.

    Attributes:
        base: The folder of the data set.
        name: The file's path relative to it.
        split: Its split, or empty.
    """

    base: Path
    name: str
    split: str

    @property
    def file(self) -> Path:
        """The file."""
        return self.base / self.name

    @cached_property
    def _stored(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet

        if self.file.suffix == ".arrow":
            return arrow_batches(self.file)
        try:
            return pa.parquet.ParquetFile(self.file)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self.file}: no Parquet file, or truncated: {str(error).partition(chr(10))[0]}"
            ) from None

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns, with the metadata of the file."""
        if self.file.suffix == ".parquet":
            return self._stored.schema_arrow
        if not self._stored:
            raise InputError(f"{self.file}: no rows")
        return self._stored[0].schema

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read columns without images, some thousands of rows at a time."""
        import pyarrow as pa

        try:
            if self.file.suffix == ".arrow":
                for batch in self._stored:
                    yield batch.select(list(columns))
                return
            if columns:
                yield from self._stored.iter_batches(16384, columns=list(columns))
                return
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.file}: broken: {str(error).partition(chr(10))[0]}") from None
        yield pa.RecordBatch.from_struct_array(pa.array([{}] * self._stored.metadata.num_rows, pa.struct([])))

    def paths(self, column: str, rows: range) -> list[str | None]:
        """The paths of the images that have no bytes in the file; None for the others.

        Raises:
            InputError: An image has neither.
        """
        without = self._without_bytes(column)
        found = [without.get(row) for row in rows]
        for row, path in zip(rows, found, strict=True):
            if path == "":
                raise InputError(f"{self.file}: row {row}: the image has neither bytes nor a path")
        return found

    def _without_bytes(self, column: str) -> dict[int, str]:
        known: dict[str, dict[int, str]] = self.__dict__.setdefault("_paths", {})
        if column not in known:
            known[column] = dict(self._read_paths(column))
        return known[column]

    def _read_paths(self, column: str) -> Iterator[tuple[int, str]]:
        if self.file.suffix == ".parquet" and self._has_all_bytes(column):
            return
        row = 0
        read = self._stored if self.file.suffix == ".arrow" else self._stored.iter_batches(32, columns=[column])
        for batch in read:
            cells = batch.column(column)
            if cells.field("bytes").null_count or cells.null_count:
                for at, cell in enumerate(cells.to_pylist()):
                    if cell is None or cell["bytes"] is None:
                        yield row + at, (cell or {}).get("path") or ""
            row += len(batch)

    def _has_all_bytes(self, column: str) -> bool:
        """True if the statistics of a Parquet file say that no bytes are missing, so that none have to be read."""
        metadata = self._stored.metadata
        for part in range(metadata.num_row_groups):
            group = metadata.row_group(part)
            for i in range(group.num_columns):
                if (chunk := group.column(i)).path_in_schema == f"{column}.bytes":
                    statistics = chunk.statistics
                    if statistics is None or not statistics.has_null_count or statistics.null_count:
                        return False
        return True


@dataclass(frozen=True)
class Features:
    """What the metadata say of columns.

    Attributes:
        classes: The names of the classes of each column of ``ClassLabel``.
        lists: Those of each column of lists of them.
    """

    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def attributes(self, schema: pa.Schema) -> list[str]:
        """The attributes whose meaning is stated: columns of bool, and the names of lists."""
        import pyarrow as pa

        bools = [item.name for item in schema if pa.types.is_boolean(item.type)]
        return [*bools, *(name for names in self.lists.values() for name in names)]


def find_shards(source: Path, by_names: bool | None) -> tuple[Path, list[Shard]]:
    """Find the folder that names are relative to, and the files, of a data set.

    Raises:
        InputError: There are none, or their columns differ.
    """
    if source.is_file():
        base, names = source.parent, [source.name]
        splits = splits_of(names, source, by_names)
    elif (source / DICT).is_file():
        base, names, splits = source, [], []
        for split in _json(source / DICT).get("splits", []):
            files = _files(source / split)
            names += [f"{split}/{name}" for name in files]
            splits += [_split(split, source) if by_names is not False else ""] * len(files)
    elif (source / STATE).is_file():
        base, names = source, _files(source)
        splits = [""] * len(names)
    else:
        base, names = source, shards(source, ".parquet")
        splits = splits_of(names, source, by_names)
    if not names:
        raise InputError(f"{source}: no Parquet files, and neither {DICT} nor {STATE} of a data set saved to disk")
    found = [Shard(base, name, split) for name, split in zip(names, splits, strict=True)]
    for shard in found[1:]:
        if not shard.schema.equals(found[0].schema):
            raise InputError(f"{shard.file}: other columns than {found[0].file}; they are not of one data set")
    return base, found


def _split(name: str, source: Path) -> str:
    if (split := split_name(name)) is None:
        warnings.warn(
            f"{source}: split {name!r} is none of train, validation and test; its images are in no split",
            BincamWarning,
            stacklevel=6,
        )
    return split or ""


def _files(folder: Path) -> list[str]:
    return [str(entry["filename"]) for entry in _json(folder / STATE).get("_data_files", [])]


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{file}: expected a mapping")
    return found


def read_features(source: Path, found: Sequence[Shard]) -> Features:
    """Read the features: of the schema's metadata, or of ``dataset_info.json``.

    Raises:
        InputError: The metadata are damaged.
    """
    metadata = found[0].schema.metadata or {}
    info = found[0].file.parent / INFO
    try:
        if b"huggingface" in metadata:
            features = json.loads(metadata[b"huggingface"])["info"]["features"]
        elif info.is_file():
            features = _json(info)["features"]
        else:
            return Features()
        result = Features()
        for name, feature in features.items():
            if (names := _names(feature)) is not None:
                result.classes[name] = names
            elif (names := _names(_inner(feature))) is not None:
                result.lists[name] = names
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{source}: the metadata of Hugging Face are damaged: {type(error).__name__} {error}"
        ) from None
    return result


def _names(feature: Any) -> tuple[str, ...] | None:
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    return tuple(map(str, feature["names"]))


def _inner(feature: Any) -> Any:
    """The feature of a list's items, as versions of ``datasets`` state it: a mapping, or a list of one."""
    if isinstance(feature, list) and len(feature) == 1:
        return feature[0]
    is_list = isinstance(feature, dict) and feature.get("_type") in ("List", "LargeList", "Sequence")
    return feature.get("feature") if is_list else None


def recognise(path: Path) -> bool:
    """True of a data set saved to disk, and of Parquet files with a column of images."""
    if path.is_dir():
        if (path / DICT).is_file() or ((path / STATE).is_file() and (path / INFO).is_file()):
            return True
        first = next((file for where in (path, path / "data") for file in sorted(where.glob("*.parquet"))[:1]), None)
        return first is not None and recognise(first)
    if path.suffix not in (".parquet", ".arrow"):
        return False
    try:
        return bool(image_columns(Shard(path.parent, path.name, "").schema))
    except InputError:
        return False
