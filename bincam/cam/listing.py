"""Rows of the tables with which explanations and ledgers represent themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, product

from torch import Tensor

from bincam.display import ROWS, counted, omitted

Position = tuple[int, int]
"""Indices of an image and of an attribute."""


def first_rows(
    names: Sequence[str], values: Tensor, cells: Callable[[Position], tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Make the first rows, image by image and attribute by attribute.

    Args:
        names: A names.
        values: ``(B, A)``.
        cells: The cells of a position after the row's head.
    """
    positions = product(range(len(values)), range(len(names)))
    return [(f"{image}, {names[column]}", *cells((image, column))) for image, column in islice(positions, ROWS)]


def omitted_rows(values: Tensor) -> str:
    """Write how many of the rows are shown; empty if all are."""
    return omitted(ROWS, values.numel(), "rows")


def size(names: Sequence[str], values: Tensor) -> str:
    """Write the numbers of images and attributes."""
    return f"{counted(len(values), 'image')}, {counted(len(names), 'attribute')}"
