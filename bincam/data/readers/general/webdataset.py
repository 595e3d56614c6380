"""Reader of WebDataset shards: tar files in which the members of a sample have one key and different endings."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.containers.tar import TarImages
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Labels
from bincam.data.readers.columns import read_columns
from bincam.data.readers.general.image_files import IMAGES
from bincam.data.readers.general.shards import shards, splits_of
from bincam.data.stated_sets import ClassColumns, Invalid, StatedSets
from bincam.errors import BincamWarning, InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

_MEMBER = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)")
"""Key and ending of a member: folders may have dots, and the key ends at the first dot of the name in them."""
_CLASS = "cls"
_TEXTS = (_CLASS, "cls2", "txt", "text", "json", "id")
_IMAGE, _SPLIT = "#image", "#split"


@reader_of("webdataset")
def webdataset(
    path: str | os.PathLike[str],
    *,
    image: str | None = None,
    classes: Sequence[str] | None = None,
    labels: Labels = "0/1",
    attributes: Sequence[str] | None = None,
    splits: bool | None = None,
    split: str | None = None,
    identity: str | None = None,
    groups: Sequence[str] = (),
    landmarks: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
    one_of_columns: ClassColumns | None = None,
    one_of_names: Mapping[str, str] | None = None,
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    r"""Read WebDataset shards; the list of each shard is read once, and images at their places when they are needed.

    The columns are the endings ``cls``, ``txt`` and ``id``, and the keys of the object in ``json``. ``cls`` is the set
    ``class``; keys of ``json`` that are true or false throughout are attributes. All others have to be stated, and are
    left aside otherwise, with a warning. An image is named ``SHARD#MEMBER``.

    Args:
        path: A folder with ``.tar`` files, or one such file.
        image: Ending of the images, such as ``left.jpg``; None for the one ending of an image that each sample has.
        classes: Names of the numbers in ``cls``; without them its texts are the names.
        labels: Coding of attributes that are not true or false; see ``table``.
        attributes: Columns of attributes; None for those described above.
        splits: Whether the names of shards state their splits; None if all of them do.
        split: Column of splits.
        identity: Column of people.
        groups: Columns by which results may be sliced.
        landmarks: Ten columns; see ``table``.
        boxes: Four columns; see ``table``.
        one_of_columns: Columns of classes in place of ``cls``.
        one_of_names: Column of classes to the name of its set.
        one_of_invalid: ``"refuse"`` samples without a class, or read their labels of the set as ``"unknown"``.

    Raises:
        InputError: A shard is truncated, a sample has no image or several, or a value is wrong.

    Warns:
        BincamWarning: Columns are left aside.

    Example:
        >>> import tarfile
        >>> from io import BytesIO
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> members = {"a/1.jpg": b"", "a/1.cls": b"1", "a/2.jpg": b"", "a/2.cls": b"0"}
        >>> with TemporaryDirectory() as folder:
        ...     with tarfile.open(f"{folder}/train-0.tar", "w") as file:
        ...         for name, content in members.items():
        ...             member = tarfile.TarInfo(name)
        ...             member.size = len(content)
        ...             file.addfile(member, BytesIO(content))
        ...     pets = data.load(folder, classes=["cat", "dog"])
        >>> pets.one_of, pets.ids, pets.counts()
        ({'class': ('class=cat', 'class=dog')}, ('train-0.tar#a/1.jpg', 'train-0.tar#a/2.jpg'), {'train': 2})
    """
    source = Path(path)
    base, names = (source.parent, [source.name]) if source.is_file() else (source, shards(source, ".tar"))
    if not names:
        raise InputError(f"{source}: no .tar files")
    of_files = splits_of(names, source, splits)
    samples: list[_Sample] = []
    for name, shard_split in zip(names, of_files, strict=True):
        samples += _samples(base / name, name, shard_split, image)
    if not samples:
        raise InputError(f"{source}: no samples in its {len(names)} shards")
    columns = _columns(samples)
    stated = dict(one_of_columns) if isinstance(one_of_columns, Mapping) else dict.fromkeys(one_of_columns or ())
    set_names = dict(one_of_names or {})
    used = {*groups, *stated, *(c for c in (split, identity) if c), *(attributes or ())}
    used |= {name for part in (landmarks, boxes) if part and not isinstance(part, str) for name in part}
    if one_of_columns is None and _CLASS in columns and _CLASS not in used:
        stated = {_CLASS: None}
        set_names.setdefault(_CLASS, "class")
    if classes is not None:
        _name_classes(columns, classes, samples, stated)
    is_bool = {name: all(isinstance(value, bool | None) for value in values) for name, values in columns.items()}
    own = [n for n, bools in is_bool.items() if bools and n not in used] if attributes is None else list(attributes)
    for name in [*used, *stated]:
        if name not in columns:
            raise InputError(f"{source}: no column {name!r}{nearest(name, columns)}")
    if not own and not stated:
        raise InputError(
            f"{source}: no cls, and no key of json is true or false; state what columns mean, of {list(columns)[:12]}: "
            "--one-of-column COLUMN of classes, or --attributes A,B and --labels"
        )
    if aside := [name for name in columns if name not in {*used, *stated, *own}]:
        warnings.warn(
            f"{source}: columns left aside, because nothing says what they mean: {', '.join(aside[:12])}",
            BincamWarning,
            stacklevel=4,
        )

    def read() -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        kept = {name: values for name, values in columns.items() if name in {*used, *stated, *own}}
        arrays = {name: _array(values, bools=is_bool[name]) for name, values in kept.items()}
        arrays |= {_IMAGE: pa.array([s.image for s in samples]), _SPLIT: pa.array([s.split for s in samples])}
        yield pa.RecordBatch.from_pydict(arrays)

    result = read_columns(
        source,
        read,
        base,
        labels=labels,
        path=_IMAGE,
        attributes=[*own, *(set_names.get(name, name) for name in stated)],
        split=split or (_SPLIT if any(of_files) else None),
        identity=identity,
        groups=groups,
        landmarks=landmarks,
        boxes=boxes,
        stated=StatedSets.of(columns=stated, names=set_names, invalid=one_of_invalid),
    )
    if classes is None:
        return result
    codes = ", ".join(f"{code} = {name}" for code, name in enumerate(classes[:12]))
    return result.meaning_with(f"cls: {codes}{', ...' if len(classes) > 12 else ''}")


@dataclass(frozen=True)
class _Sample:
    """One sample.

    Attributes:
        image: The name of its image in the table.
        split: Of its shard.
        where: Its place, for messages.
        texts: The texts of its other members, by ending.
    """

    image: str
    split: str
    where: str
    texts: dict[str, bytes]


def _samples(file: Path, name: str, split: str, image: str | None) -> Iterator[_Sample]:
    """The samples of a shard, in its order.

    Raises:
        InputError: The shard is damaged, or a sample has no image or several.
    """
    archive = TarImages(file)
    by_key: dict[str, dict[str, str]] = {}
    for member in archive.places:
        if member.startswith("__") or (found := _MEMBER.fullmatch(member)) is None:
            continue
        parts = by_key.setdefault(found[1], {})
        if (ending := found[2].lower()) in parts:
            raise InputError(f"{file}: sample {found[1]!r} has two members {ending!r}; write the shard anew")
        parts[ending] = member
    for key, parts in by_key.items():
        pictures = [ending for ending in parts if (f".{ending}" in IMAGES if image is None else ending == image)]
        if len(pictures) != 1:
            got = f"the images {' and '.join(pictures)}" if pictures else f"no image, but {', '.join(sorted(parts))}"
            raise InputError(f"{file}: sample {key!r} has {got}; state the ending of images: --data-option image=jpg")
        texts = {ending: archive.read(member) for ending, member in parts.items() if ending in _TEXTS}
        yield _Sample(f"{name}#{parts[pictures[0]]}", split, f"{file}: sample {key!r}", texts)


def _columns(samples: Sequence[_Sample]) -> dict[str, list[Any]]:
    """The columns of all samples: texts, and the values of the objects in json.

    Raises:
        InputError: A text is not UTF-8, or json no object.
    """
    columns: dict[str, list[Any]] = {}
    for row, sample in enumerate(samples):
        for ending, content in sample.texts.items():
            try:
                values = _values(ending, content.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                raise InputError(f"{sample.where}: {ending} cannot be read: {error}") from None
            for name, value in values.items():
                if name not in columns:
                    columns[name] = [None] * len(samples)
                columns[name][row] = value
    return columns


def _values(ending: str, text: str) -> dict[str, Any]:
    if ending != "json":
        return {ending: text.strip()}
    found = json.loads(text)
    if not isinstance(found, dict):
        raise InputError(f"expected an object, got {type(found).__name__}")
    return {name: value for name, value in found.items() if not isinstance(value, dict | list)}


def _name_classes(
    columns: dict[str, list[Any]], classes: Sequence[str], samples: Sequence[_Sample], stated: dict[str, Any]
) -> None:
    """Replace the numbers of classes with their names, in place.

    Raises:
        InputError: There are no numbers, or one has no name.
    """
    if _CLASS not in stated:
        raise InputError(f"classes={list(classes)[:3]}...: names of the numbers in cls, but no sample has one")
    for row, value in enumerate(columns[_CLASS]):
        if value is None or value == "":
            continue
        if not str(value).isdecimal() or int(value) >= len(classes):
            raise InputError(
                f"{samples[row].where}: cls is {value!r}; expected 0 to {len(classes) - 1}, as classes say"
            )
        columns[_CLASS][row] = classes[int(value)]
    stated[_CLASS] = list(classes)


def _array(values: Sequence[Any], *, bools: bool) -> pa.Array:
    import pyarrow as pa

    if bools:
        return pa.array(values, pa.bool_())
    texts = [None if v is None else json.dumps(v) if isinstance(v, bool | float) else str(v) for v in values]
    return pa.array(texts, pa.string())


def recognise(path: Path) -> bool:
    """True of a tar file, or a folder of them, whose first members are an image and another member of its key."""
    file = path if path.is_file() else next(iter(sorted(path.glob("*.tar"))), None)
    if file is None or file.suffix != ".tar":
        return False
    import tarfile

    try:
        with tarfile.open(file, "r:") as archive:
            names = [member.name for member, _ in zip(archive, range(16), strict=False) if member.isreg()]
    except (tarfile.TarError, OSError):
        return file.suffix == ".tar"  # the reader says what is wrong with it
    found = [match for name in names if (match := _MEMBER.fullmatch(name))]
    keys = {match[1] for match in found if f".{match[2].lower()}" in IMAGES}
    return any(match[1] in keys and match[2].lower() in _TEXTS for match in found)
