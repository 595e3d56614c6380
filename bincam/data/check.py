"""Checks of a data set on disk that report all problems in one pass."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.checking.decoder_processes import DecoderProcesses
from bincam.data.checking.leakage import people_are_classes
from bincam.data.checking.places import misplaced
from bincam.data.containers.address import read_bytes
from bincam.data.describe import crossing
from bincam.display import counted
from bincam.errors import InputError

CONTRADICTIONS: tuple[tuple[str, str], ...] = (
    *(("Bald", hair) for hair in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")),
    *(("Bald", hair) for hair in ("Bangs", "Straight_Hair", "Wavy_Hair")),
    ("No_Beard", "Goatee"),
    ("Straight_Hair", "Wavy_Hair"),
)
"""Pairs of CelebA's attributes that cannot both be true; a moustache or stubble together with No_Beard can."""


@dataclass(frozen=True)
class Problem:
    """One problem in a data set.

    Attributes:
        kind: ``image``, ``values``, ``duplicate``, ``identity``, ``contradiction``, ``class``, ``landmarks``, ``box``
            or ``table``.
        where: The file or identity concerned.
        text: The complete message.
    """

    kind: str
    where: str
    text: str


@dataclass(frozen=True)
class Report:
    """Result of ``check``.

    Attributes:
        source: The data set.
        images: Number of images in the table.
        decoded: Number of images that decode.
        sizes: ``(width, height)`` of the decoded images with their counts, most frequent first.
        problems: The problems, in the table's order.
        without_landmarks: Images that lack one of the five landmarks or several, if the table has landmarks. They may
            be unknown, so this is no problem of the data; but such images have neither face crops nor face regions.
        notes: What of images is not read, a sentence for each kind: no problem, if it was not meant to be.
    """

    source: str
    images: int
    decoded: int
    sizes: tuple[tuple[tuple[int, int], int], ...]
    problems: tuple[Problem, ...]
    without_landmarks: int = 0
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Count the problems per kind."""
        return dict(Counter(problem.kind for problem in self.problems))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "kind": "bincam-check",
            "schema": 1,
            "source": self.source,
            "images": self.images,
            "decoded": self.decoded,
            "sizes": [{"width": w, "height": h, "count": count} for (w, h), count in self.sizes],
            "without_landmarks": self.without_landmarks,
            **({"notes": list(self.notes)} if self.notes else {}),
            "problems": [{"kind": p.kind, "where": p.where, "text": p.text} for p in self.problems],
        }


def check(
    table: AttributeTable,
    *,
    workers: int | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
) -> Report:
    """Decode every image, and look for problems that would invalidate a measurement.

    JPEGs are decoded a second time by processes of their own, because a decoder says only on stderr that one is damaged
    inside.

    Images are duplicates if their pixels are equal; only duplicates in different splits are reported.

    Args:
        table: The data set.
        workers: Number of decoding threads (decoders release the GIL), and of processes at most; all cores by default.
        progress: Wraps the iteration over the images, for a progress bar.
    """
    problems: list[Problem] = []
    size_of: dict[int, tuple[int, int]] = {}
    content: dict[bytes, list[int]] = {}
    dropped: dict[str, list[int]] = {}
    with DecoderProcesses() as decoders, ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        files = [table.path(row) for row in range(len(table))]
        for row, decoded in enumerate(progress(_bounded(pool, decoders, files, table.value_range))):
            if isinstance(decoded, str):
                problems.append(Problem("image", str(files[row]), decoded))
            else:
                size_of[row] = decoded.size
                content.setdefault(decoded.pixels, []).append(row)
                if decoded.values:
                    problems.append(Problem("values", str(files[row]), f"{files[row]}: {decoded.values}"))
                if decoded.dropped:
                    dropped.setdefault(decoded.dropped, []).append(row)
    problems += _duplicates(table, content)
    of_people = {} if people_are_classes(table) else crossing(table.splits, table.identities)
    for identity, splits in of_people.items():
        text = f"identity {identity!r} is in {' and '.join(splits)}: a model can recognise faces of the test split"
        problems.append(Problem("identity", identity, text))
    problems += _contradictions(table)
    problems += _unlearned(table)
    problems += [Problem(kind, table.ids[row], text) for kind, row, text in misplaced(table, size_of)]
    return Report(
        source=table.source or str(table.root),
        images=len(table),
        decoded=len(size_of),
        sizes=tuple(Counter(size_of.values()).most_common()),
        problems=tuple(problems),
        without_landmarks=table.without_landmarks(),
        notes=tuple(
            f"{counted(len(rows), 'image')} {'has' if len(rows) == 1 else 'have'} {what} (first: {table.ids[rows[0]]})"
            for what, rows in dropped.items()
        ),
    )


def unreadable(source: str, error: InputError) -> Report:
    """The report on a data set whose label files cannot be read."""
    return Report(source, 0, 0, (), (Problem("table", source, str(error)),))


@dataclass(frozen=True)
class _Decoded:
    """What is known of a decoded image: its size, a digest of its pixels, and what is odd about its values."""

    size: tuple[int, int]
    pixels: bytes
    values: str
    dropped: str


def _bounded(
    pool: ThreadPoolExecutor,
    decoders: DecoderProcesses,
    files: list[Path],
    value_range: tuple[float, float] | None,
    ahead: int = 256,
) -> Iterator[str | _Decoded]:
    """Results in order, with a bounded number in flight, so that memory does not grow with the data set."""
    for start in range(0, len(files), ahead):
        yield from pool.map(lambda file: _examined(file, decoders, value_range), files[start : start + ahead])


def _examined(file: Path, decoders: DecoderProcesses, value_range: tuple[float, float] | None) -> str | _Decoded:
    """What is known of an image, or the error message."""
    from bincam.data.decoding.bands import scaled, stored_values
    from bincam.data.decoding.values import dropped_of, oddity
    from bincam.data.images import decode

    pixels: NDArray[Any]
    try:
        content = read_bytes(file)
        if value_range is None and file.suffix != ".npy":
            pixels = decode(content, str(file))
        else:
            pixels = scaled(stored_values(content, str(file)), value_range, str(file))
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{file}: cannot be read: {error}"
    if content[:2] == b"\xff\xd8" and (complaint := decoders.complaint(file)):
        return f"{file}: damaged inside: {complaint}; what the decoder makes of it is not the picture: replace the file"
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
    left_out = dropped_of(content) if value_range is None else ""
    return _Decoded((pixels.shape[1], pixels.shape[0]), digest, oddity(pixels), left_out)


def _duplicates(table: AttributeTable, content: dict[bytes, list[int]]) -> list[Problem]:
    problems = []
    for rows in content.values():
        if len({str(table.splits[row]) for row in rows}) > 1:
            names = ", ".join(f"{table.ids[row]} ({table.splits[row] or 'no split'})" for row in rows)
            problems.append(Problem("duplicate", table.ids[rows[0]], f"the same image in several splits: {names}"))
    return problems


def _contradictions(table: AttributeTable) -> list[Problem]:
    problems: list[Problem] = []
    for one, other in CONTRADICTIONS:
        if one in table.names and other in table.names:
            both = (table.labels[:, table.index(one)] == 1) & (table.labels[:, table.index(other)] == 1)
            problems += [
                Problem("contradiction", table.ids[row], f"{table.ids[row]}: {one} and {other} are both true")
                for row in np.flatnonzero(both)
            ]
    return problems


def _unlearned(table: AttributeTable) -> list[Problem]:
    """Classes of a set that training lacks, although other splits have them."""
    trained = table.splits == "train"
    if not trained.any():
        return []
    problems = []
    for name, members in table.one_of.items():
        for member in members:
            true = table.labels[:, table.index(member)] == 1
            if true.any() and not true[trained].any():
                text = f"set {name!r}: {member} has {counted(int(true.sum()), 'image')}, and none in split 'train'"
                problems.append(Problem("class", member, text))
    return problems
