"""Images and people that the fitted references of a large set's rows rest on: those of many outputs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import ReferenceData

Counts = Mapping[str, tuple[int, int]]


def of_rows(
    fitted_on: ReferenceData | None, rows: Mapping[str, NDArray[np.integer]], outputs: Sequence[str]
) -> ReferenceData | None:
    """Count what the references of some rows rest on, as if each row were an attribute.

    The mean over the rows of a figure against their references has the error of Σ w_a m_a, with w_a the share of rows
    whose output is a, and m_a the reference of a. If m_a rests on n_a images, this is the error of a mean of
    1 / Σ (w_a² / n_a) images: n_a if all rows have one output, and the sum of all n_a if every output has rows in
    proportion. *Ours.* Outputs without an image have no reference, and their rows are left out.

    Args:
        fitted_on: Numbers of images and people by output and class; None without a reference.
        rows: Name of a row to its outputs ``(N,)``, indices into ``outputs``; -1 where unknown.
        outputs: The outputs of the set.

    Returns:
        The same with the numbers of the rows in addition; None without a reference.
    """
    if fitted_on is None:
        return None

    def counted(of_outputs: Counts) -> dict[str, tuple[int, int]]:
        if not all(output in of_outputs for output in outputs):
            return {}
        table = np.array([of_outputs[output] for output in outputs], float)  # (K, 2)
        return {name: _effective(table, index) for name, index in rows.items()}

    return fitted_on.model_copy(
        update={
            "counts": {**fitted_on.counts, **counted(fitted_on.counts)},
            "people": {**fitted_on.people, **counted(fitted_on.people)},
        }
    )


def _effective(table: NDArray[np.float64], index: NDArray[np.integer]) -> tuple[int, int]:
    """Compute 1 / Σ (w² / n) of both classes, rounded down; 0 where no row has a reference.

    >>> _effective(np.array([[90.0, 10], [80, 20]]), np.array([0, 0, 0]))
    (90, 10)
    >>> _effective(np.array([[90.0, 10], [80, 20]]), np.array([0, 1, 1, -1]))[1]
    30
    """
    rows = np.bincount(index[index >= 0], minlength=len(table)) * (table > 0).all(1)
    if not rows.any():
        return 0, 0
    share, has = rows / rows.sum(), rows > 0
    negative, positive = (1 / (share[has, None] ** 2 / table[has]).sum(0) + 1e-9).astype(int)
    return int(negative), int(positive)
