"""Columns of an audit's records, read shard by shard and put at the places of their images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import IMAGES
from bincam.audit.folder.stored import read_table
from bincam.errors import InputError
from bincam.progress import track
from bincam.stats.clusters import Clusters

if TYPE_CHECKING:
    from bincam.audit.folder.audit import Audit


def read_rows(audit: Audit) -> NDArray[np.bool_]:
    """Find the rows of ``images.parquet`` whose images were read; the records are not opened."""
    read: NDArray[np.bool_] = read_table(audit.folder / IMAGES, ["skipped"])["skipped"].to_numpy() == ""
    return read


def read_clusters(audit: Audit, rows: NDArray[np.int64]) -> Clusters:
    """Read the clusters of the images of some rows: those that ``Clusters.of`` makes of their identities."""
    identity = read_table(audit.folder / IMAGES, ["identity"])["identity"].take(rows).combine_chunks()
    encoded = identity.dictionary_encode()
    return Clusters.of_encoded(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class Places:
    """Where the values of an audit's images are put.

    Attributes:
        audit: The audit.
        place: The position of each row of ``images.parquet``; -1 for images that are left out.
        images: Number of images with records.
    """

    audit: Audit
    place: NDArray[np.int64]
    images: int

    @classmethod
    def of(cls, audit: Audit, rows: NDArray[np.int64], read: NDArray[np.bool_]) -> Places:
        """Put the images of ``rows``, ascending, side by side; all images that were ``read`` have records."""
        place = np.full(len(read), -1, np.int64)
        place[rows] = np.arange(len(rows))
        return cls(audit, place, int(read.sum()))

    def parts(
        self, columns: Sequence[str], attributes: Sequence[str], what: str
    ) -> Iterator[tuple[NDArray[np.int64], list[NDArray[Any]]]]:
        """Read columns of the records, shard by shard.

        Args:
            columns: Names of columns of numbers.
            attributes: Names of the A attributes that are read.
            what: Label of a progress bar; none without it.

        Yields:
            The positions ``(n,)`` of a shard's images, and of each column the values ``(A, n)``.

        Raises:
            InputError: An image lacks some of its records.
        """
        names = list(self.audit.attributes)
        order, every, count = [names.index(name) for name in attributes], len(names), 0
        shards = self.audit.record_parts(["row", *columns])
        for table in track(shards, what, total=self.audit.shards, unit="shards") if what else shards:
            if table.num_rows % every:
                raise InputError(
                    f"{self.audit.folder}: a shard has {table.num_rows:,} records, which is no multiple of {every}; "
                    "make the audit again"
                )
            rows = table["row"].to_numpy()[::every]
            if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.place):
                raise InputError(f"{self.audit.folder}: a record is of no image of the audit; make it again")
            count += len(rows)
            at = self.place[rows]
            kept = np.flatnonzero(at >= 0)
            yield at[kept], [table[name].to_numpy().reshape(-1, every)[kept][:, order].T for name in columns]
        if count != self.images:
            raise InputError(
                f"{self.audit.folder}: got the records of {count:,} images, expected those of {self.images:,}; make "
                "the audit again"
            )
