"""Everything that can be wrong with a data set on disk, found at once."""

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

from bincam.data.attribute_table import AttributeTable
from bincam.data.describe import crossing
from bincam.errors import InputError

CONTRADICTIONS: tuple[tuple[str, str], ...] = (
    *(("Bald", hair) for hair in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")),
    *(("Bald", hair) for hair in ("Bangs", "Straight_Hair", "Wavy_Hair")),
    ("No_Beard", "Goatee"),
    ("Straight_Hair", "Wavy_Hair"),
)
"""Pairs of CelebA's attributes that cannot both be true. A moustache or stubble without a beard can."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: ``image``, ``duplicate``, ``identity``, ``contradiction`` or ``table``.
        where: The file, or what else it concerns.
        text: What is wrong, whole.
    """

    kind: str
    where: str
    text: str


@dataclass(frozen=True)
class Report:
    """What ``check`` found.

    Attributes:
        source: The data set.
        images: Images of the table.
        decoded: How many of them decode.
        sizes: ``(width, height)`` of those and how often, most frequent first.
        problems: What is wrong, in the table's order.
    """

    source: str
    images: int
    decoded: int
    sizes: tuple[tuple[tuple[int, int], int], ...]
    problems: tuple[Problem, ...]

    def counts(self) -> dict[str, int]:
        """Problems per kind."""
        return dict(Counter(problem.kind for problem in self.problems))

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "kind": "bincam-check",
            "schema": 1,
            "source": self.source,
            "images": self.images,
            "decoded": self.decoded,
            "sizes": [{"width": w, "height": h, "count": count} for (w, h), count in self.sizes],
            "problems": [{"kind": p.kind, "where": p.where, "text": p.text} for p in self.problems],
        }


def check(
    table: AttributeTable,
    *,
    workers: int | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
) -> Report:
    """Decode every image and look for what would spoil a measurement.

    Images are duplicates when their pixels are equal; only those in different splits are reported.

    Args:
        table: The data set.
        workers: Threads that decode (pillow lets others run meanwhile); all cores by default.
        progress: Wraps the images while they are read, for a bar.
    """
    problems: list[Problem] = []
    sizes: Counter[tuple[int, int]] = Counter()
    content: dict[bytes, list[int]] = {}
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        files = [table.path(row) for row in range(len(table))]
        for row, seen in enumerate(progress(_bounded(pool, files))):
            if isinstance(seen, str):
                problems.append(Problem("image", str(files[row]), seen))
            else:
                sizes[seen[0]] += 1
                content.setdefault(seen[1], []).append(row)
    problems += _duplicates(table, content)
    for identity, splits in crossing(table.splits, table.identities).items():
        text = f"identity {identity!r} is in {' and '.join(splits)}: a model can know the test's faces"
        problems.append(Problem("identity", identity, text))
    problems += _contradictions(table)
    return Report(
        source=table.source or str(table.root),
        images=len(table),
        decoded=sum(sizes.values()),
        sizes=tuple(sizes.most_common()),
        problems=tuple(problems),
    )


def unreadable(source: str, error: InputError) -> Report:
    """The report on a data set whose tables cannot be read at all."""
    return Report(source, 0, 0, (), (Problem("table", source, str(error)),))


Seen = str | tuple[tuple[int, int], bytes]


def _bounded(pool: ThreadPoolExecutor, files: list[Path], ahead: int = 256) -> Iterator[Seen]:
    """Results in order, with few enough in flight that 200,000 images cost no memory."""
    for start in range(0, len(files), ahead):
        yield from pool.map(_look, files[start : start + ahead])


def _look(file: Path) -> Seen:
    """Size and a digest of the pixels, or what is wrong."""
    from bincam.data.images import decode

    try:
        pixels = decode(file)
    except InputError as error:
        return str(error)
    return (pixels.shape[1], pixels.shape[0]), hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def _duplicates(table: AttributeTable, content: dict[bytes, list[int]]) -> list[Problem]:
    found = []
    for rows in content.values():
        if len({str(table.splits[row]) for row in rows}) > 1:
            names = ", ".join(f"{table.ids[row]} ({table.splits[row] or 'no split'})" for row in rows)
            found.append(Problem("duplicate", table.ids[rows[0]], f"the same picture in several splits: {names}"))
    return found


def _contradictions(table: AttributeTable) -> list[Problem]:
    found = []
    for one, other in CONTRADICTIONS:
        if one in table.names and other in table.names:
            both = (table.labels[:, table.index(one)] == 1) & (table.labels[:, table.index(other)] == 1)
            found += [
                Problem("contradiction", table.ids[row], f"{table.ids[row]}: {one} and {other} are both true")
                for row in np.flatnonzero(both)
            ]
    return found
