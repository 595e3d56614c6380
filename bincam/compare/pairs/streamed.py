"""Two audits of very many images: answers are kept as a byte each, measures are read for some attributes at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import IMAGES
from bincam.audit.folder.stored import read_columns, read_table
from bincam.audit.summary.panel import Panel
from bincam.compare.pairs.coded import ANSWERS, LABELS, WRONG, Shared
from bincam.compare.pairs.paired import Decided
from bincam.compare.sets.matching import Common
from bincam.compare.sets.pairs import OutputPair, SetPair
from bincam.stats.clusters import Clusters

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

BUDGET = 3 << 29
"""Bytes for the measures of both audits that are held at once: what takes more is read in several scans."""


@dataclass(frozen=True)
class Tile:
    """Measures of both audits, of some columns and attributes.

    Attributes:
        columns: Names of C columns.
        attributes: Positions of A attributes.
        values: ``(2, C, A, N)`` float32: of each audit.
    """

    columns: tuple[str, ...]
    attributes: tuple[int, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class StreamedPair:
    """Records of the N images and A attributes that two long audits have; see ``Paired``.

    Attributes:
        shared: The images.
        attributes: Names of the A attributes.
        minority: ``(A,)``.
        columns: Names of the measures.
        methods: Specs that both have.
        codes: ``(A, N)``: labels and answers, see ``coded_answers``.
        audited: ``(A,)``.
        moved: ``(A,)``.
        moved_from: Origin of these.
        common: What the audits have in common.
        sets: Sets that both have, on a sample of the images.
        outputs: Single outputs that both have, on the same sample.
        set_images: Number of images of the sample.
    """

    shared: Shared
    attributes: tuple[str, ...]
    minority: NDArray[np.int64]
    columns: tuple[str, ...]
    methods: tuple[str, ...]
    codes: NDArray[np.int8]
    audited: NDArray[np.float32]
    moved: NDArray[np.float64]
    moved_from: str
    common: Common
    sets: tuple[SetPair, ...] = ()
    outputs: tuple[OutputPair, ...] = ()
    set_images: int = 0

    @property
    def clusters(self) -> Clusters:
        """Clusters of the N images."""
        return self.shared.clusters

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(N,)``: the images' rows in ``images.parquet``."""
        return self.shared.rows

    @property
    def looked_at(self) -> int:
        """Number of images that were looked for in both audits: all."""
        return self.shared.looked_at

    def decided(self, a: int) -> Decided:
        """Return the labels and answers of attribute ``a``."""
        codes = self.codes[a]
        return Decided(int(self.minority[a]), LABELS[codes], ANSWERS[:, codes], WRONG[:, codes])

    def with_groups(self, audit: Audit) -> Panel:
        """Return the labels with the groups of their images, which the first audit names."""
        file = audit.folder / IMAGES
        groups: dict[str, NDArray[Any]] = {}
        for name in read_columns(file):
            if name.startswith("group."):
                encoded = read_table(file, [name])[name].combine_chunks().dictionary_encode()
                values = np.array(encoded.dictionary.to_pylist(), object)  # a string for each value, not each image
                groups[name] = values[encoded.indices.to_numpy(zero_copy_only=False)[self.rows]]
        none = np.zeros((0, len(self.attributes)), np.float32)
        return _CodedPanel(
            self.attributes, self.rows, none, none, none, self.minority, self.clusters, (),
            np.zeros((0, len(self.attributes), 0), np.float32), groups, codes=self.codes,
        )  # fmt: skip

    def tiles(self, budget: int = BUDGET) -> Iterator[Tile]:
        """Read the measures of both audits, as many at once as fit into memory.

        Each column is decompressed once, unless that of all attributes takes more than the budget.

        Args:
            budget: Bytes.
        """
        for columns, attributes in tiles_of(self.columns, len(self.attributes), len(self.rows), budget):
            yield self._read(columns, attributes)  # held by whoever takes it alone, so that it may be let go

    def _read(self, columns: tuple[str, ...], attributes: tuple[int, ...]) -> Tile:
        values = np.full((2, len(columns), len(attributes), len(self.rows)), np.nan, np.float32)
        names = [self.attributes[a] for a in attributes]
        what = f"compare: {columns[0] if len(columns) == 1 else f'{len(columns)} measures'}"
        for which in (0, 1):
            for at, found in self.shared.places[which].parts(columns, names, what):
                for held, part in zip(values[which], found, strict=True):
                    held[:, at] = part
        return Tile(columns, attributes, values)


def tiles_of(
    columns: Sequence[str], attributes: int, images: int, budget: int
) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Divide columns and attributes so that those of both audits fit into memory.

    Args:
        columns: Names.
        attributes: A.
        images: N.
        budget: Bytes.

    Yields:
        Names of columns, and positions of attributes: of all attributes, if one column of them fits.

    >>> list(tiles_of(["a", "b", "c"], 2, 100, 2 * 2 * 100 * 8))
    [(('a', 'b'), (0, 1)), (('c',), (0, 1))]
    >>> list(tiles_of(["a"], 3, 100, 2 * 100 * 8))
    [(('a',), (0, 1)), (('a',), (2,))]
    """
    fit = max(1, budget // (8 * max(images, 1)))
    width, height = max(1, fit // max(attributes, 1)), max(1, min(fit, attributes))
    for start in range(0, len(columns), width):
        for a in range(0, attributes, height):
            yield tuple(columns[start : start + width]), tuple(range(a, min(a + height, attributes)))


@dataclass(frozen=True)
class _CodedPanel(Panel):
    """The first audit's labels and groups, for divisions of the images.

    Attributes:
        codes: ``(A, N)``: of a ``StreamedPair``.
    """

    codes: NDArray[np.int8] | None = None

    def label_of(self, attribute: str) -> NDArray[np.float32]:
        """Return the labels ``(N,)`` of an attribute: 1, 0, NaN."""
        assert self.codes is not None
        labels: NDArray[np.float32] = LABELS[self.codes[self.attributes.index(attribute)]]
        return labels
