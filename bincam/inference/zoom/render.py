"""Pixels of views: the image is resized once for each scale, and its views are cut from that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from bincam.data import crop
from bincam.errors import InputError
from bincam.inference.zoom.geometry import places_of
from bincam.inference.zoom.plan import Plan

Pixels = NDArray[np.uint8]

WHOLE = 1 << 24
"""Pixels of a resized image up to which it is made whole; of a larger one, only what each view shows is computed."""

LARGEST_SQUARE = 2048
"""Side up to which the square of a face crop keeps the pixels of its image."""


def render(image: Pixels, plan: Plan) -> Iterator[Pixels]:
    """Make the views of one decoded image, one at a time, in the order of the plan.

    Resizing is Pillow's bicubic one with antialiasing, and what is beyond the image is black, as in the paper's code.
    The pixels are the same as if every view were made by itself. Memory is that of the image at its largest scale, and
    does not depend on the number of views.

    A resized image of more than 16 million pixels, such as of a strip, is never made: each view's part is resampled
    alone. Its pixels are the same within two grey levels, except at hard edges: Pillow rounds and clips between the two
    axes, and which one it resamples first depends on the size that is asked for.

    Args:
        image: ``(H, W, 3)`` uint8, such as from ``bincam.data.images.decode``.
        plan: The plan.

    Yields:
        ``(h, w, 3)`` uint8 of the plan's input size.

    Raises:
        InputError: The image has another shape or type.

    Example:
        A white image at a quarter of the input's size is surrounded by black:

        >>> import numpy as np
        >>> from bincam.inference import render, view_plan
        >>> plan = view_plan([(2, 1, 1), (8, 1, 1)], (8, 8))
        >>> small, large = render(np.full((4, 4, 3), 255, np.uint8), plan)
        >>> int((small > 0).sum()) // 3, int((large > 0).sum()) // 3
        (4, 49)
    """
    check_pixels(image)
    picture = Image.fromarray(image)
    places = places_of(plan, [image.shape[:2]])
    views = zip(places.resized[0].tolist(), places.corner[0].tolist(), strict=True)
    for whole, of_scale in groupby(views, key=itemgetter(0)):
        if whole[0] * whole[1] > WHOLE:
            for _, first in of_scale:
                yield _part(picture, first, whole, plan.input_size)
            continue
        scaled = np.asarray(picture.resize(whole[::-1], Image.Resampling.BICUBIC))
        for _, first in of_scale:
            yield cut(scaled, first, plan.input_size)
        del scaled  # before the next scale is made


def check_pixels(image: Pixels) -> None:
    """Refuse what is not a decoded image.

    Raises:
        InputError: It is not ``(H, W, 3)`` uint8 with at least one pixel.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        got = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"a decoded image is uint8 of shape (H, W, 3), got {got}; bincam.data.images.decode reads one")
    if image.size == 0:
        raise InputError(f"an image without pixels: shape {image.shape}")


def cut(image: Pixels, first: Sequence[int], size: tuple[int, int]) -> Pixels:
    """Cut a rectangle whose upper left corner is ``first`` (y, x), with zeros beyond the image.

    >>> cut(np.full((2, 2, 1), 7, np.uint8), (-1, 0), (2, 2))[..., 0]
    array([[0, 0],
           [7, 7]], dtype=uint8)
    """
    (top, left), (height, width) = first, size
    result = np.zeros((height, width, image.shape[2]), np.uint8)
    rows = slice(max(top, 0), min(top + height, image.shape[0]))
    columns = slice(max(left, 0), min(left + width, image.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        result[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return result


def _part(picture: Image.Image, first: Sequence[int], whole: Sequence[int], size: tuple[int, int]) -> Pixels:
    """A view of an image that is too large to be resized whole: the source pixels of the view's part are resampled."""
    begin = [max(start, 0) for start in first]
    end = [min(start + length, side) for start, length, side in zip(first, size, whole, strict=True)]
    rows, columns = picture.height, picture.width
    # Multiplied first, so that the end of the resized image is exactly that of the image.
    upper, lower = (place[0] * rows / whole[0] for place in (begin, end))
    left, right = (place[1] * columns / whole[1] for place in (begin, end))
    shape = (end[1] - begin[1], end[0] - begin[0])
    part = np.asarray(picture.resize(shape, Image.Resampling.BICUBIC, box=(left, upper, right, lower)))
    return cut(part, (first[0] - begin[0], first[1] - begin[1]), size)


def face_square(image: Pixels, landmarks: ArrayLike, size: int = 224) -> Pixels:
    """Cut the square of a face crop from an image, upright and in the image's own resolution.

    Views of a face are those of this square in place of the image. It is that of ``bincam.data.crop.face_matrix``, with
    the border replicated beyond the image, as in the crop that the model was trained on: resized to the model's input,
    the square is that crop. *Ours*.

    Args:
        image: ``(H, W, 3)`` uint8.
        landmarks: ``(5, 2)``, in the image's pixels.
        size: Side of the model's input in pixels.

    Returns:
        ``(s, s, 3)`` with the crop's side s in pixels of the image, at most 2048.

    Raises:
        InputError: A landmark is unknown, or eyes and mouth coincide.

    Example:
        >>> import numpy as np
        >>> from bincam.inference import face_square
        >>> landmarks = [[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]]
        >>> face_square(np.zeros((218, 178, 3), np.uint8), landmarks).shape
        (226, 226, 3)
    """
    check_pixels(image)
    matrix = crop.face_matrix(landmarks, size)
    side = size / np.hypot(*matrix[0, :2])  # of the square, in pixels of the image
    pixels = int(min(max(round(float(side)), 1), LARGEST_SQUARE))
    # Enlarged from the model's crop, because a face's matrix of another size is shifted by a part of a pixel.
    enlarged = crop.compose(crop.fit_matrix("stretch", (size, size), (pixels, pixels)), matrix)
    return crop.warp(image, enlarged, (pixels, pixels))
