"""The records of a long audit, read shard by shard as often as they are needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import IMAGES, records_file
from bincam.audit.folder.stored import read_columns, read_table
from bincam.audit.summary.bounds import bounds
from bincam.audit.summary.streamed import clusters
from bincam.audit.summary.streamed.kernels import BITS
from bincam.errors import InputError
from bincam.progress import track
from bincam.stats.outcomes import cells

if TYPE_CHECKING:
    import pyarrow as pa

    from bincam.audit.folder.reader import Audit


@dataclass(frozen=True)
class Part:
    """Records of the n images of a shard that were read, and of A attributes.

    Attributes:
        rows: ``(n,)``: the images' rows in ``images.parquet``.
        codes: ``(n,)``: their clusters.
        label: ``(n, A)``: 1, 0, NaN.
        logit: ``(n, A)``.
        threshold: ``(n, A)``.
        values: ``(C, n, A)``: the columns that were asked for.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int32]
    label: NDArray[np.float32]
    logit: NDArray[np.float32]
    threshold: NDArray[np.float32]
    values: NDArray[np.float32]

    @property
    def cells(self) -> NDArray[np.int8]:
        """``(n, A)``: indices into ``CELLS``; -1 without a finite logit."""
        return cells(self.label, self.logit, self.threshold)


class Records:
    """The records of an audit's yes-or-no attributes.

    Attributes:
        audit: The audit.
        attributes: Names of the A attributes.
        clusters: ``StreamedClusters`` of all rows of ``images.parquet``.
        groups: Group columns, dictionary-encoded; their values are strings, empty where unknown.
        skipped: Number of images that could not be read.
        images: Number of those that were, once ``parts`` has been used up.
        threshold: ``(A,)``: of the first image.
    """

    def __init__(self, audit: Audit) -> None:
        """Read the table of images, not the records.

        Raises:
            InputError: The table is missing, or not of this audit.
        """
        self.audit = audit
        self.attributes = audit.manifest.yes_or_no
        names = list(audit.attributes)
        self._own = [names.index(name) for name in self.attributes]
        file = audit.folder / IMAGES
        names_there = [name for name in read_columns(file) if name != "image"]
        table = read_table(file, names_there)
        stated = audit.manifest.data.images
        if table.num_rows != stated or not np.array_equal(table["row"].to_numpy(), np.arange(stated)):
            raise InputError(f"{audit.folder / IMAGES}: not the {stated:,} images of the audit; make it again")
        read = table["skipped"].to_numpy() == ""
        self.clusters = clusters.StreamedClusters.of(
            table["identity"], read, most=clusters.MOST_PEOPLE, groups=clusters.GROUPS
        )
        self.groups: dict[str, pa.DictionaryArray] = {
            name: table[name].combine_chunks().dictionary_encode()
            for name in table.column_names
            if name.startswith("group.")
        }
        self.skipped = int((~read).sum())
        self.images = stated - self.skipped
        self.threshold = np.full(len(self.attributes), np.nan, np.float32)

    def parts(self, columns: Sequence[str] = (), *, what: str = "") -> Iterator[Part]:
        """Read the records, shard by shard.

        Args:
            columns: Measures to read.
            what: Label of a progress bar; none without it.

        Raises:
            InputError: An image lacks some of its records, or no image could be read.
        """
        count = 0
        parts = _ahead(self._read(columns))
        for part in track(parts, what, total=self.audit.shards, unit="shards") if what else parts:
            rows = part.rows
            if len(rows) and not count:
                self.threshold = part.threshold[0]
            count += len(rows)
            yield part
        if not count:
            raise InputError(
                f"{self.audit.folder}: no image was read ({self.skipped} were skipped), so there is nothing to "
                "summarise"
            )
        if count != self.images:
            raise InputError(
                f"{self.audit.folder}: got the records of {count:,} images, expected those of {self.images:,}; make "
                "the audit again"
            )

    def _read(self, columns: Sequence[str]) -> Iterator[Part]:
        A = len(self.audit.attributes)
        keys = ("row", "label", "logit", "threshold")
        for table in self.audit.record_parts([*keys, *columns]):
            if table.num_rows % A:
                raise InputError(
                    f"{self.audit.folder}: a shard has {table.num_rows:,} records, which is no multiple of {A}; make "
                    "the audit again"
                )
            row, label, logit, threshold = (table[name].to_numpy().reshape(-1, A) for name in keys)
            rows = row[:, 0].astype(np.int64)
            if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.clusters.codes):
                raise InputError(f"{self.audit.folder}: a record is of no image of the audit; make it again")
            values = [self._of_own(table[name].to_numpy().reshape(-1, A)) for name in columns]
            yield Part(
                rows,
                self.clusters.codes[rows],
                self._of_own(label),
                self._of_own(logit),
                self._of_own(threshold),
                np.stack(values) if values else np.zeros((0, len(rows), len(self._own)), np.float32),
            )

    def _of_own(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The columns of the yes-or-no attributes."""
        return np.ascontiguousarray(values if len(self._own) == values.shape[1] else values[:, self._own])

    def scales(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return in how many units each measure is counted per 1, ``(C,)``: a power of 2.

        Shares are between 0 and 1. The greatest value of other measures is stated by the footers of the files, which
        are read instead of the records.
        """
        low, high = bounds(columns)
        most = np.where((low == 0) & (high == 1), 1.0, 0.0)
        unbounded = [name for name, one in zip(columns, most, strict=True) if not one]
        if unbounded:
            greatest = dict.fromkeys(unbounded, 0.0)
            for number in range(self.audit.shards):
                for name, value in self._greatest(number, unbounded).items():
                    greatest[name] = max(greatest[name], value)
            most = np.array([greatest.get(name, 1.0) or 1.0 for name in columns])
        exponents = np.ceil(np.log2(most))
        return np.asarray(2.0 ** (BITS - exponents))

    def _greatest(self, number: int, columns: Sequence[str]) -> dict[str, float]:
        """The greatest absolute finite value of columns in a shard."""
        import pyarrow.parquet as pq

        file = records_file(self.audit.folder, number)
        footer = pq.read_metadata(file)
        place = {name: footer.schema.names.index(name) for name in columns}
        result = {}
        for name in columns:
            groups = [footer.row_group(g).column(place[name]).statistics for g in range(footer.num_row_groups)]
            ends = [abs(end) for one in groups if one is not None and one.has_min_max for end in (one.min, one.max)]
            known = len(ends) == 2 * len(groups) and all(math.isfinite(end) for end in ends)
            if not known:  # older files, values that are infinite, and columns that are undefined throughout
                values = read_table(file, [name])[name].to_numpy()
                ends = [float(np.abs(values[np.isfinite(values)]).max(initial=0.0))]
            result[name] = max(ends, default=0.0)
        return result


def _ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """Yield parts, of which the next one is read by another thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, parts, None)
        while (part := waiting.result()) is not None:
            waiting = thread.submit(next, parts, None)
            yield part
