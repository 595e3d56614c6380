"""Rows of the tables with which explanations and ledgers represent themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, product

from torch import Tensor

from bincam.display import ROWS, counted, omitted

Position = tuple[int, int]
"""Indices of an image and of an attribute."""


def first_rows(
    names: Sequence[str],
    values: Tensor,
    cells: Callable[[Position], tuple[str, ...]],
    head: Callable[[Position], str] | None = None,
) -> list[tuple[str, ...]]:
    """Make the first rows, image by image and attribute by attribute.

    Args:
        names: A names.
        values: ``(B, A)``.
        cells: The cells of a position after the row's head.
        head: The row's head; image and name by default.
    """
    title = head or (lambda at: f"{at[0]}, {names[at[1]]}")
    positions = product(range(len(values)), range(len(names)))
    return [(title(at), *cells(at)) for at in islice(positions, ROWS)]


def omitted_rows(values: Tensor) -> str:
    """Write how many of the rows are shown; empty if all are."""
    return omitted(ROWS, values.numel(), "rows")


def size(names: Sequence[str], values: Tensor) -> str:
    """Write the numbers of images and attributes."""
    return f"{counted(len(values), 'image')}, {counted(len(names), 'attribute')}"
