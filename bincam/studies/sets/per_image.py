"""The sets of every judged image, as Parquet: a file for each rule, a row for each image, a column for each subject."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.files import atomic
from bincam.postprocessing.label_sets import LabelSets
from bincam.studies.sets.scored import Scored

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "per_image"
KIND, SCHEMA = "bincam-sets-per-image", "1"
SAYINGS = ("nothing", "no", "yes", "cannot say")
"""What the sets of a yes-or-no attribute say: none, one of the two, both."""


@dataclass
class SetColumns:
    """The columns of one rule, which are added subject by subject.

    Attributes:
        rule: Name of the rule.
        columns: Name of the subject to its column.
    """

    rule: str
    columns: dict[str, pa.Array] = field(default_factory=dict)

    def add_head(self, name: str, sets: LabelSets) -> None:
        """Add the sets of a yes-or-no attribute as one of ``SAYINGS``; null where undefined."""
        import pyarrow as pa

        codes = (sets.members[:, 0] + 2 * sets.members[:, 1]).astype(np.int8)
        chosen = pa.array(codes, mask=~sets.defined)
        self.columns[name] = pa.DictionaryArray.from_arrays(chosen, list(SAYINGS))

    def add_set(self, name: str, sets: LabelSets, answers: tuple[str, ...]) -> None:
        """Add sets as lists of names; null where undefined."""
        self.columns[name] = as_lists(sets.members, sets.defined, answers)

    def write(self, folder: Path, judged: Scored) -> Path:
        """Write the file, with the judged images' rows and names."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = folder / FOLDER / f"{self.rule}.parquet"
        keys = {"row": pa.array(judged.rows.astype(np.int32)), "image": pa.array(judged.images.tolist(), pa.string())}
        table = pa.table({**keys, **self.columns})
        table = table.replace_schema_metadata({"kind": KIND, "schema": SCHEMA, "rule": self.rule})
        with atomic(file) as part:
            pq.write_table(table, part)
        return file


def as_lists(members: NDArray[np.bool_], defined: NDArray[np.bool_], names: tuple[str, ...]) -> pa.Array:
    """Make an arrow array of the lists of names in each set; null where undefined.

    >>> as_lists(np.array([[True, True], [False, False]]), np.array([True, False]), ("cat", "dog")).to_pylist()
    [['cat', 'dog'], None]
    """
    import pyarrow as pa

    image, label = np.nonzero(members)
    ends = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=len(members)))]).astype(np.int32)
    values = pa.DictionaryArray.from_arrays(pa.array(label.astype(np.int16)), list(names))
    return pa.ListArray.from_arrays(pa.array(ends), values, mask=pa.array(~defined))
