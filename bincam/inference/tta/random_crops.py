"""Random crops of one image at random scales: the views of zoom-MEMO."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bincam.inference.zoom.render import Pixels

AREA = (0.08, 1.0)
"""Least and greatest share of the image's area that a crop takes."""

RATIO = (3 / 4, 4 / 3)
"""Least and greatest ratio of a crop's width to its height."""

_TRIES = 10


def crop_box(
    image_size: tuple[int, int],
    rng: np.random.Generator,
    area: tuple[float, float] = AREA,
    ratio: tuple[float, float] = RATIO,
) -> tuple[int, int, int, int]:
    """Draw a crop as ``RandomResizedCrop`` of torchvision does: the area uniformly, the ratio uniformly in its log.

    After ten crops that do not fit the image, the largest centred one with a permitted ratio is taken.

    Args:
        image_size: ``(H, W)``.
        rng: Source of random numbers, in place of torch's global one.
        area: Least and greatest share of the image's area.
        ratio: Least and greatest ratio of width to height.

    Returns:
        ``(top, left, height, width)`` in pixels.

    >>> top, left, height, width = crop_box((60, 40), np.random.default_rng(0))
    >>> 0 <= top <= 60 - height and 0 <= left <= 40 - width and height * width >= 0.07 * 2400
    True
    """
    height, width = image_size
    for _ in range(_TRIES):
        target = height * width * rng.uniform(*area)
        shape = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(target * shape)), round(math.sqrt(target / shape))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    of_image = width / height
    w = width if of_image <= ratio[1] else max(1, round(height * ratio[1]))
    h = height if of_image >= ratio[0] else max(1, round(width / ratio[0]))
    return (height - h) // 2, (width - w) // 2, h, w


def random_crops(image: Pixels, size: tuple[int, int], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw random crops of an image, each resized to the model's input by Pillow's bicubic filter with antialiasing.

    Args:
        image: ``(H, W, 3)`` uint8.
        size: ``(h, w)`` of the input.
        count: Number of crops K.
        rng: Source of random numbers.

    Returns:
        ``(K, h, w, 3)`` uint8.

    Example:
        >>> import numpy as np
        >>> from bincam.inference import random_crops
        >>> random_crops(np.zeros((60, 40, 3), np.uint8), (32, 32), 4, np.random.default_rng(0)).shape
        (4, 32, 32, 3)
    """
    views = np.empty((count, *size, 3), np.uint8)
    for view in views:
        top, left, height, width = crop_box((image.shape[0], image.shape[1]), rng)
        part = Image.fromarray(image[top : top + height, left : left + width])
        view[...] = np.asarray(part.resize(size[::-1], Image.Resampling.BICUBIC))
    return views
