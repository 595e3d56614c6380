"""Where views lie in an image: sizes after resizing, crops, and the anchors and points that are visible in them.

All of it depends on the size of the image alone, so it is computed for many images at once, without their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.inference.zoom.plan import ANCHORS, Plan

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def anchor(sides: Ints, places: Ints) -> Ints:
    """Compute the coordinates of anchors along sides: ``place·(side//3) + (side//3)//2``, in whole pixels.

    >>> anchor(np.array(256), np.arange(3)), anchor(np.array(2), np.arange(3))
    (array([ 42, 127, 212]), array([0, 0, 0]))
    """
    tile = sides // ANCHORS
    return places * tile + tile // 2


@dataclass(frozen=True)
class Places:
    """Where the views of a plan lie in N images.

    Attributes:
        resized: ``(N, V, 2)``: H and W of the resized image.
        corner: ``(N, V, 2)``: y and x of the crop's upper left corner in it; negative where it is beyond the image.
        input_size: ``(H, W)`` of the crop.
        anchors: ``(V, 2)``: row and column of the anchor on which each view is centred.
        scale: ``(V,)``: index of each view's scale among the plan's.

    Example:
        The crop of 224 pixels is a part of the image at S = 448, and around the first anchor shows that one alone:

        >>> from bincam.inference import places_of, view_plan
        >>> places = places_of(view_plan("short", (224, 224)), [(375, 500)])
        >>> upper_left = 4 * 9
        >>> bool(places.strict[0, upper_left]), places.visible_anchors()[0, upper_left].astype(int)
        (True, array([[1, 0, 0],
               [0, 0, 0],
               [0, 0, 0]]))
    """

    resized: Ints
    corner: Ints
    input_size: tuple[int, int]
    anchors: Ints
    scale: Ints

    @property
    def strict(self) -> Bools:
        """``(N, V)``: the crop is smaller than the resized image on both axes, so that a view's place matters.

        At other scales a view shows the whole image, or all of one axis, moved within the frame and beside black.
        """
        return np.asarray((self.resized > np.asarray(self.input_size)).all(-1))

    def visible_anchors(self) -> Bools:
        """``(N, V, 3, 3)``: which anchors' places are visible in each view, its own included."""
        spots = anchor(self.resized[..., None], np.arange(ANCHORS))  # (N, V, 2, 3)
        first = self.corner[..., None]
        inside = (spots >= first) & (spots < first + np.asarray(self.input_size)[:, None])
        return np.asarray(inside[:, :, 0, :, None] & inside[:, :, 1, None, :])

    def visible(self, points: ArrayLike) -> Bools:
        """Find the views in which points of the images are visible.

        Args:
            points: ``(N, 2)`` or ``(N, A, 2)``: x and y as shares of the image's width and height, from 0 to 1, such as
                the centre of an object; NaN where unknown.

        Returns:
            ``(N, V)`` or ``(N, V, A)``; False where the point is unknown.

        Raises:
            InputError: Another shape.
        """
        given = np.asarray(points, np.float64)
        if given.ndim not in (2, 3) or given.shape[0] != len(self.corner) or given.shape[-1] != 2:
            raise InputError(f"expected points (N, 2) or (N, A, 2) of {len(self.corner)} images, got {given.shape}")
        each = given[:, None] if given.ndim == 2 else given  # (N, A, 2)
        at = each[:, None, :, ::-1] * self.resized[:, :, None]  # (N, V, A, 2), y and x
        first = self.corner[:, :, None]
        inside = ((at >= first) & (at < first + np.asarray(self.input_size))).all(-1)
        return np.asarray(inside[..., 0] if given.ndim == 2 else inside)


def places_of(plan: Plan, image_sizes: ArrayLike) -> Places:
    """Compute where the views of a plan lie in images.

    An image is resized until its shorter side is S; the longer one is rounded down.

    Args:
        plan: The plan of V views.
        image_sizes: ``(N, 2)``: H and W of every image; of a face crop, the side of its square.

    Raises:
        InputError: A side is below 1 pixel, or the shape is another.

    Example:
        >>> from bincam.inference import places_of, view_plan
        >>> places_of(view_plan("short", (224, 224)), [(375, 500), (64, 64)]).strict.sum(1).tolist()
        [36, 36]
        >>> one = places_of(view_plan([(256, 1, 1)], (224, 224)), [(375, 500), (256, 256)])
        >>> one.resized.tolist(), one.corner[1].tolist()
        ([[[256, 341]], [[256, 256]]], [[15, 15]])
    """
    sizes = np.asarray(image_sizes, np.int64)
    if sizes.ndim != 2 or sizes.shape[1] != 2 or (sizes < 1).any():
        raise InputError(
            f"expected sizes (N, 2) of at least 1 pixel a side, got {np.asarray(image_sizes).tolist()!r:.80}"
        )
    scales = np.array([view.size for view in plan.views])
    anchors = np.array([view[1:] for view in plan.views])
    after = scales[None, :, None] * sizes[:, None] // sizes.min(1)[:, None, None]
    scale = np.searchsorted(plan.sizes, scales)
    return Places(after, anchor(after, anchors) - np.asarray(plan.input_size) // 2, plan.input_size, anchors, scale)
