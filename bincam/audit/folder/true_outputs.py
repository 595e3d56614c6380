"""The true outputs of large sets, which the records name in the rows of their true outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.sets import large_sets, output_names, slots
from bincam.one_of import Sets

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("output", "label")
"""The columns of the records that are read."""


def recorded_true_outputs(
    parts: Iterable[pa.Table], attributes: Sequence[str], one_of: Sets
) -> dict[str, NDArray[np.int64]]:
    """Read the true outputs of all large sets.

    Args:
        parts: The records with ``COLUMNS``, shard by shard, ordered by image and then by row.
        attributes: The names of the rows of an image.
        one_of: The audited sets.

    Returns:
        Name of a large set to ``(N,)`` indices into its outputs; -1 where the label is unknown.

    >>> import pyarrow as pa
    >>> part = pa.table({"output": ["cat", "dog", "cat", ""], "label": [0.0, 1.0, float("nan"), float("nan")]})
    >>> recorded_true_outputs([part], ["pet: predicted", "pet: true"], {"pet": ("cat", "dog")})
    {'pet': array([ 1, -1])}
    """
    A, names = len(attributes), output_names(attributes, one_of)
    index = {output: number for number, output in enumerate(names)}
    position, found = {}, {}
    for name in large_sets(attributes, one_of):
        place = {output: k for k, output in enumerate(one_of[name])}
        position[name] = np.array([place.get(output, -1) for output in names], np.int64)
        found[name] = [np.zeros(0, np.int64)]
    for part in parts:
        of_rows = np.array([index[output] for output in part["output"].to_pylist()], np.int64).reshape(-1, A)
        labels = part["label"].to_numpy().reshape(-1, A)
        for name, positions in position.items():
            row = list(attributes).index(slots(name)[1])
            found[name].append(np.where(labels[:, row] == 1, positions[of_rows[:, row]], -1))
    return {name: np.concatenate(of_parts) for name, of_parts in found.items()}
