"""Landmarks and boxes that do not lie on their images, or not as their names say: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.display import counted

if TYPE_CHECKING:
    from bincam.data.attribute_table import AttributeTable

_LEFT_EYE, _RIGHT_EYE, _NOSE, _LEFT_MOUTH, _RIGHT_MOUTH = range(5)


def misplaced(table: AttributeTable, sizes: Mapping[int, tuple[int, int]]) -> Iterator[tuple[str, int, str]]:
    """Find landmarks and boxes that cannot be right.

    A single face may lie on its side or upside down. Where most do, columns have been exchanged, or y runs upwards;
    face crops and the regions in them would follow, and nothing else would tell.

    Args:
        table: The data set.
        sizes: ``(width, height)`` of each row's image, where it could be decoded.

    Yields:
        The kind, ``landmarks`` or ``box``, the first row concerned, and what is wrong in words.

    Example:
        >>> import numpy as np
        >>> from bincam.data import AttributeTable
        >>> exchanged = np.float32([[[60, 40], [30, 40], [45, 60], [35, 80], [55, 80]]])
        >>> table = AttributeTable(("Bald",), np.ones((1, 1), np.float32), ("a.png",), root=".", landmarks=exchanged)
        >>> [kind for kind, _, _ in misplaced(table, {0: (100, 120)})]
        ['landmarks']
    """
    rows = sorted(sizes)
    within = np.array([sizes[row] for row in rows], np.float64).reshape(len(rows), 2)
    if table.landmarks is not None:
        points = table.landmarks[rows].astype(np.float64)
        known = np.isfinite(points).all((1, 2))
        yield from _of_points(table, np.array(rows, np.int64)[known], points[known], within[known])
    if table.boxes is not None:
        boxes = table.boxes[rows].astype(np.float64)
        known = np.isfinite(boxes).all(1)
        yield from _of_boxes(table, np.array(rows, np.int64)[known], boxes[known], within[known])


def _of_points(
    table: AttributeTable, rows: NDArray[np.int64], points: NDArray[np.float64], within: NDArray[np.float64]
) -> Iterator[tuple[str, int, str]]:
    spread = np.ptp(points, axis=1).max(1)
    on_image = np.all((points >= 0) & (points < within[:, None]), axis=2)
    beside: NDArray[np.bool_] = ~np.any(on_image, axis=1)
    mirrored: NDArray[np.bool_] = points[:, _LEFT_EYE, 0] > points[:, _RIGHT_EYE, 0]
    eyes, mouth = points[:, [_LEFT_EYE, _RIGHT_EYE], 1], points[:, [_LEFT_MOUTH, _RIGHT_MOUTH], 1]
    inverted: NDArray[np.bool_] = eyes.mean(1) > mouth.mean(1)
    together: NDArray[np.bool_] = spread < 1
    for found, least, text in (
        (beside, 0, "no landmark lies on the image; landmarks are pixels of the stored image"),
        (together, 0, "all landmarks are within one pixel; they are pixels of the stored image, not shares of it"),
        (mirrored, 0.5, "lefteye is to the right of righteye, so that face crops are upside down; left is the left of "
                        "the image: exchange the columns"),
        (inverted, 0.5, "the mouth is above the eyes, so that face crops are upside down; y runs downwards"),
    ):  # fmt: skip
        if found.sum() > least * len(found):
            yield "landmarks", int(rows[found][0]), _told(table, rows[found], len(rows), text)


def _of_boxes(
    table: AttributeTable, rows: NDArray[np.int64], boxes: NDArray[np.float64], within: NDArray[np.float64]
) -> Iterator[tuple[str, int, str]]:
    start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    empty = (boxes[:, 2:] <= 0).any(1) & (boxes != 0).any(1)  # four zeros state that there is none
    beside = ~empty & ((end <= 0) | (start >= within)).any(1)
    for found, text in (
        (empty, "the box has no area; boxes are x, y, width and height"),
        (beside, "the box does not lie on the image; boxes are pixels of the stored image"),
    ):
        if found.any():
            yield "box", int(rows[found][0]), _told(table, rows[found], len(rows), text)


def _told(table: AttributeTable, found: NDArray[np.int64], of: int, text: str) -> str:
    return f"{len(found):,} of {counted(of, 'image')} (first: {table.ids[found[0]]}): {text}"
