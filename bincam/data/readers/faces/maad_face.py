"""Reader of MAAD-Face: 47 attributes of the 3.3 million faces of VGGFace2."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.sources.large_csv import Block, blocks_of, map_blocks
from bincam.data.readers.sources.lines import lines_of
from bincam.errors import InputError, nearest
from bincam.files import regular

FILE = "MAAD_Face.csv"
_IMAGE, _PERSON = "Filename", "Identity"
_CODING = Coding.of({1: "yes", -1: "no", 0: "unknown"})


@reader_of("maad_face")
def maad_face(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    attributes: Sequence[str] | None = None,
) -> AttributeTable:
    r"""Read ``MAAD_Face.csv``: a label is 1 (yes), -1 (no) or **0, which is undefined** and not no.

    Args:
        file: The file, or the folder that it is in.
        images: Folder of VGGFace2's images, ``n000001/0001_01.jpg``; that of the file by default.
        attributes: Attributes to read, each of which takes 13 MB; None is all 47.

    Returns:
        The table, with the people. There are no splits: VGGFace2's are folders of people.

    Raises:
        InputError: The file is missing or malformed, or has no such attribute.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.data.readers.faces.maad_face import maad_face
        >>> text = "Filename,Identity,Male,Young\nn000002/0001_01.jpg,n000002,1,0\n"
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "MAAD_Face.csv").write_text(text)
        ...     faces = maad_face(Path(folder, "MAAD_Face.csv"))
        >>> faces.labels.tolist(), faces.identities.tolist()
        ([[1.0, nan]], ['n000002'])
    """
    import pyarrow as pa

    source = Path(file)
    if source.is_dir():
        source /= FILE
    header, names = _columns(regular(source), attributes)
    blocks = blocks_of(source)
    count = sum(block.rows for block in blocks)
    labels = np.empty((len(names), count), np.float32)  # as the file is read: column by column

    def take(block: Block, content: Any) -> tuple[list[str], NDArray[np.str_]]:
        _convert(names, content, labels[:, block.row : block.row + block.rows], source, block.row)
        people = content.column(_PERSON).unify_dictionaries().combine_chunks()
        texts = np.array(people.dictionary.to_pylist(), np.str_)
        return content.column(_IMAGE).to_pylist(), texts[people.indices.to_numpy()]

    kinds = {_IMAGE: pa.string(), _PERSON: pa.dictionary(pa.int32(), pa.string()), **dict.fromkeys(names, pa.int8())}
    parts = map_blocks(source, blocks, header, kinds, f"labels {_CODING}", take)
    pa.default_memory_pool().release_unused()
    ids = tuple(name for of_block, _ in parts for name in of_block)
    people = np.concatenate([of_block for _, of_block in parts]) if parts else np.zeros(0, np.str_)
    del parts
    return AttributeTable(
        names=tuple(names),
        labels=labels.T,
        ids=ids,
        root=source.parent if images is None else Path(images),
        identities=people,
        source=str(source),
        meaning=(f"labels: {_CODING}",),
    )


def _convert(names: Sequence[str], content: Any, out: NDArray[np.float32], file: Path, start: int) -> None:
    """Write a block's columns of 1, -1 and 0 as labels 1, 0 and NaN ``(A, rows)``."""
    for name, row in zip(names, out, strict=True):
        at = 0
        for chunk in content.column(name).chunks:
            values = (chunk.fill_null(0) if chunk.null_count else chunk).to_numpy()
            if len(values) and (values.min() < -1 or values.max() > 1):
                wrong = int(np.flatnonzero((values < -1) | (values > 1))[0])
                raise InputError(f"{file}:{start + at + wrong + 2}: {name!r} is {values[wrong]}; labels are {_CODING}")
            with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, as it is meant
                np.divide(np.maximum(values, 0), values != 0, out=row[at : at + len(values)], dtype=np.float32)
            at += len(values)


def _columns(source: Path, attributes: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Read the names of all columns; and choose the attributes."""
    _, first = next(lines_of(source), ("", ""))
    header = next(csv.reader([first]), [])
    for column in (_IMAGE, _PERSON):
        if column not in header:
            raise InputError(f"{source}:1: no column {column!r}{nearest(column, header)}")
    there = [name for name in header if name not in (_IMAGE, _PERSON)]
    names = there if attributes is None else list(attributes)
    for name in names:
        if name not in there:
            raise InputError(f"{source}:1: no attribute {name!r}{nearest(name, there)}")
    return header, names
