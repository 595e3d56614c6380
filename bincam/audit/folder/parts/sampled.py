"""An audit of which only a sample of its images is read, for figures that need all of their images at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.audit import Audit
from bincam.audit.folder.files import IMAGES, records_file
from bincam.audit.folder.stored import read_table
from bincam.stats.formatting import listed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


MOST = 100_000
"""With more images, records are read shard by shard or of a sample of so many images, never all at once."""


def is_long(audit: Audit) -> bool:
    """Return True if an audit has more images than are read at once."""
    return audit.manifest.data.images > MOST


def readable(audit: Audit, *, seed: int = 0) -> Audit:
    """Return the audit itself, or a random sample of ``MOST`` images of a long one."""
    return SampledAudit.of(audit, MOST, seed=seed) if is_long(audit) else audit


def of_a_sample(parts: Sequence[str], images: int, every: int) -> str:
    """Say that figures are of a sample of the images.

    >>> of_a_sample(["boxes"], 100_000, 3_300_000)
    'figures of boxes are of a random sample of 100,000 of the 3,300,000 images'
    """
    return f"figures of {listed(parts)} are of a random sample of {images:,} of the {every:,} images"


@dataclass(frozen=True)
class SampledAudit(Audit):
    """An audit whose records, scores, cells and boxes are those of some of its images.

    Attributes:
        rows: Their rows in ``images.parquet``, ascending.
    """

    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def most_images(self) -> int:
        """The number of images that are read, at most."""
        return len(self.rows)

    @cached_property
    def images(self) -> pd.DataFrame:
        """A row per image of the sample; see ``Audit.images``."""
        frame: pd.DataFrame = read_table(self.folder / IMAGES).take(self.rows).to_pandas()
        return frame

    @property
    def some_rows(self) -> NDArray[np.int64] | None:
        """The rows of the sample."""
        return self.rows

    def kept(self, number: int) -> NDArray[np.bool_] | None:
        """Find the images of a shard that are in the sample, among those that were read."""
        table = read_table(records_file(self.folder, number), ["row"])
        return np.isin(table["row"].to_numpy()[:: len(self.attributes)], self.rows)

    def record_parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the records of the sample, shard by shard; see ``Audit.record_parts``."""
        import pyarrow as pa

        wanted = columns if columns is None or "row" in columns else [*columns, "row"]
        for table in super().record_parts(wanted):
            part = table.filter(pa.array(np.isin(table["row"].to_numpy(), self.rows)))
            yield part if columns is None else part.select(list(columns))

    @classmethod
    def of(cls, audit: Audit, images: int, *, seed: int, also: Sequence[int] = ()) -> SampledAudit:
        """Draw a sample of the images without replacement, the same of every audit of as many images.

        Args:
            audit: The audit.
            images: How many, with those that could not be read; all, where there are no more.
            seed: The same seed gives the same images.
            also: Rows that are added to the sample.
        """
        every = audit.manifest.data.images
        drawn = np.random.default_rng(seed).choice(every, min(images, every), replace=False)
        return cls(audit.folder, audit.manifest, np.union1d(drawn, np.asarray(also, np.int64)).astype(np.int64))
