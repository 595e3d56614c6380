"""Reader of Hugging Face ``datasets``: saved to disk, or Parquet files with columns of images; needs pyarrow alone."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.containers.columns import image_columns
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Labels
from bincam.data.readers.columns import read_columns
from bincam.data.readers.general.hugging_face_files import Features, Shard, find_shards, read_features
from bincam.data.stated_sets import ClassColumns, Invalid, StatedSets
from bincam.errors import BincamWarning, InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

_Place = tuple[Path, str, int]
"""A file, a column, and the row of its first value."""
_IMAGE, _SPLIT = "#image", "#split"
_SHOWN = 12


@reader_of("hugging_face")
def hugging_face(
    path: str | os.PathLike[str],
    *,
    image: str | None = None,
    images: str | os.PathLike[str] | None = None,
    labels: Labels = "0/1",
    attributes: Sequence[str] | None = None,
    split: str | None = None,
    splits: bool | None = None,
    identity: str | None = None,
    groups: Sequence[str] = (),
    landmarks: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
    one_of_columns: ClassColumns | None = None,
    one_of_names: Mapping[str, str] | None = None,
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    """Read a data set that ``datasets`` saved to disk, or Parquet files; what columns mean is read from their metadata.

    Columns of ``ClassLabel`` become sets with the names of the metadata, in its order, and -1 and null are no class.
    Lists of ``ClassLabel`` become a yes-or-no attribute per name, and columns of bool an attribute. All other columns
    have to be stated, and are left aside otherwise, with a warning. Images stay where they are, and are decoded one by
    one: an image is named ``FILE#ROW``, or by its path where the data set holds no bytes of it.

    Args:
        path: A folder of ``save_to_disk``, a folder with Parquet files, or one such file.
        image: Column of images; None for the only one.
        images: Folder that the paths of images without bytes are relative to; that of the data set by default.
        labels: Coding of attributes that are not of type bool; see ``table``.
        attributes: Attributes: columns, and names of a list's ``ClassLabel``; None for those described above.
        split: Column of splits.
        splits: Whether splits are those of ``save_to_disk``, or stated by the names of files; None if all names do.
        identity: Column of people.
        groups: Columns by which results may be sliced.
        landmarks: Ten columns; see ``table``.
        boxes: Four columns; see ``table``.
        one_of_columns: Columns of classes in place of those of ``ClassLabel``.
        one_of_names: Column of classes to the name of its set.
        one_of_invalid: ``"refuse"`` rows without a class, or read their labels of the set as ``"unknown"``.

    Raises:
        InputError: It is no such data set or damaged, its metadata do not say what labels mean, or a value is wrong.

    Warns:
        BincamWarning: Columns are left aside, or a split has another name than train, validation and test.

    Example:
        >>> import json
        >>> from tempfile import TemporaryDirectory
        >>> import pyarrow as pa, pyarrow.parquet
        >>> from bincam import data
        >>> names = {"_type": "ClassLabel", "names": ["cat", "dog"]}
        >>> stated = {"info": {"features": {"image": {"_type": "Image"}, "label": names}}}
        >>> cell = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        >>> pictures = pa.array([{"bytes": b"", "path": None}] * 2, cell)
        >>> rows = pa.table({"image": pictures, "label": [1, 0]})
        >>> rows = rows.replace_schema_metadata({"huggingface": json.dumps(stated)})
        >>> with TemporaryDirectory() as folder:
        ...     pyarrow.parquet.write_table(rows, f"{folder}/train-0.parquet")
        ...     pets = data.load(folder)
        >>> pets.one_of, pets.ids, pets.counts()
        ({'label': ('label=cat', 'label=dog')}, ('train-0.parquet#0', 'train-0.parquet#1'), {'train': 2})
    """
    source = Path(path)
    base, found = find_shards(source, splits)
    schema = found[0].schema
    features = read_features(source, found)
    picture = _image_column(source, schema, image)
    stated = dict(one_of_columns) if isinstance(one_of_columns, Mapping) else dict.fromkeys(one_of_columns or ())
    used = {*groups, *stated, *(c for c in (split, identity) if c), *(attributes or ()), *_listed(landmarks, boxes)}
    sets = {n: c if c is not None or n not in features.classes else features.classes[n] for n, c in stated.items()}
    if one_of_columns is None:
        sets = {name: names for name, names in features.classes.items() if name not in used and len(names) > 1}
    own = [name for name in features.attributes(schema) if name not in used] if attributes is None else list(attributes)
    if not own and not sets:
        numbers = [field.name for field in schema if field.name != picture and field.name not in used]
        raise InputError(
            f"{source}: its metadata name no class, and no column is bool; state what columns mean, of {numbers}: "
            "--one-of-column COLUMN of classes, or --attributes A,B and --labels"
        )
    known = {field.name for field in schema} | {name for names in features.lists.values() for name in names}
    for name in [*used, *sets]:
        if name not in known:
            raise InputError(f"{source}: no column {name!r}{nearest(name, known)}")
    aside = [f.name for f in schema if f.name not in {picture, *used, *sets, *own, *features.lists}]
    if aside:
        warnings.warn(
            f"{source}: columns left aside, because nothing says what they mean: {', '.join(aside[:_SHOWN])}",
            BincamWarning,
            stacklevel=4,
        )
    kept = [f.name for f in schema if f.name in {*used, *sets, *own} or f.name in features.lists]

    def read() -> Iterator[pa.RecordBatch]:
        for shard in found:
            yield from _batches(shard, kept, picture, features, root)

    root = base if images is None else Path(images)
    result = read_columns(
        source,
        read,
        root,
        labels=labels,
        path=_IMAGE,
        attributes=[*own, *((one_of_names or {}).get(name, name) for name in sets)],
        split=split or (_SPLIT if any(shard.split for shard in found) else None),
        identity=identity,
        groups=groups,
        landmarks=landmarks,
        boxes=boxes,
        stated=StatedSets.of(columns=sets, names=one_of_names, invalid=one_of_invalid),
    )
    return result.meaning_with(*_meaning(sets, features, own))


def _listed(*columns: Sequence[str] | None) -> list[str]:
    return [name for part in columns if part is not None and not isinstance(part, str) for name in part]


def _meaning(sets: Mapping[str, Any], features: Features, own: Sequence[str]) -> Iterator[str]:
    for name in sets:
        if (names := features.classes.get(name)) is None:
            continue
        codes = ", ".join(f"{code} = {label}" for code, label in enumerate(names[:_SHOWN]))
        yield f"{name}: {codes}{', ...' if len(names) > _SHOWN else ''}, -1 and null = no class (metadata)"
    for name, names in features.lists.items():
        if set(names) & set(own):
            yield f"{name}: an attribute is true where the list has it"


def _image_column(source: Path, schema: pa.Schema, stated: str | None) -> str:
    """Find the column of images.

    Raises:
        InputError: There is none, or it has to be stated.
    """
    columns = image_columns(schema)
    if stated is not None and stated not in columns:
        raise InputError(f"{source}: column {stated!r} is none of images{nearest(stated, columns)}")
    if not columns:
        raise InputError(
            f"{source}: no column of images (structs of bytes and path), but {', '.join(schema.names[:_SHOWN])}; "
            "a table with paths is of format 'table'"
        )
    if stated is None and len(columns) > 1:
        raise InputError(f"{source}: several columns of images, {', '.join(columns)}; state one: --data-option image=")
    return stated or columns[0]


def _batches(
    shard: Shard, kept: Sequence[str], picture: str, features: Features, root: Path
) -> Iterator[pa.RecordBatch]:
    """The kept columns of a file as text, numbers and bools, with the names of its images and its split."""
    import pyarrow as pa

    row = 0
    name = shard.name if root == shard.base else Path(os.path.relpath(shard.file, root)).as_posix()
    prefix = f"{name}#" + (f"{picture}/" if len(image_columns(shard.schema)) > 1 else "")
    for batch in shard.read(kept):
        columns: dict[str, Any] = {}
        for name in kept:
            values = batch.column(name)
            if name in features.classes:
                columns[name] = _named(values, features.classes[name], (shard.file, name, row))
            elif name in features.lists:
                columns |= _members(values, features.lists[name], (shard.file, name, row))
            else:
                columns[name] = values
        rows = range(row, row + len(batch))
        paths = zip(rows, shard.paths(picture, rows), strict=True)
        names = [f"{prefix}{at}" if there is None else there for at, there in paths]
        columns |= {_IMAGE: pa.array(names), _SPLIT: pa.array([shard.split] * len(batch))}
        row += len(batch)
        yield pa.RecordBatch.from_pydict(columns)


def _named(values: Any, names: Sequence[str], where: _Place) -> Any:
    """Turn numbers of classes into their names; -1 and null into null."""
    import pyarrow as pa

    codes = values.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    _check(codes, np.arange(len(codes)), names, where)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(names, pa.string()))


def _members(values: Any, names: Sequence[str], where: _Place) -> dict[str, Any]:
    """Turn lists of numbers of classes into a column of bools per class; a null list is unknown."""
    import pyarrow as pa

    codes = values.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.repeat(np.arange(len(values)), values.value_lengths().fill_null(0).to_numpy())
    _check(codes, rows, names, where)
    table = np.zeros((len(values), len(names)), bool)
    there = codes >= 0
    table[rows[there], codes[there]] = True
    unknown = values.is_null().to_numpy(zero_copy_only=False)
    return {name: pa.array(table[:, code], mask=unknown) for code, name in enumerate(names)}


def _check(codes: NDArray[np.int64], rows: NDArray[np.int64], names: Sequence[str], where: _Place) -> None:
    """Refuse numbers of classes that have no name.

    Raises:
        InputError: Names the first.
    """
    wrong = np.flatnonzero((codes < -1) | (codes >= len(names)))
    if len(wrong):
        file, column, first = where
        raise InputError(
            f"{file}: row {first + rows[wrong[0]]}: column {column!r}: {codes[wrong[0]]} is no class; the metadata "
            f"name 0 to {len(names) - 1}"
        )
