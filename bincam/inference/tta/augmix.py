"""AugMix views of one image: the views of MEMO."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bincam.inference.tta.random_crops import crop_box
from bincam.inference.zoom.render import Pixels

Picture = Image.Image
Floats = NDArray[np.float32]

CHAINS = 3
DEEPEST = 3
SEVERITY = 1
"""MEMO's strength of each operation, of ten."""


def augmix_views(image: Pixels, size: tuple[int, int], count: int, rng: np.random.Generator) -> Floats:
    """Draw AugMix views of an image (Hendrycks et al., ICLR 2020, arXiv 1912.02781) as MEMO uses them.

    Every view is a random crop, mirrored in half of them, and mixed with three chains of one to three random operations
    on it, by weights from Dirichlet(1, 1, 1), and with the crop itself by a weight from Beta(1, 1). The operations are
    those of AugMix: autocontrast, equalise, posterise, rotate, solarise, shear and shift.

    Deviations: pixels are mixed before and not after normalisation, which is the same because both are affine; the
    crops are resampled by the bicubic filter, as those of ``random_crops``, in place of the bilinear one; what shears
    and shifts uncover is grey, where the published code's fill value 128 is a dark red.

    Args:
        image: ``(H, W, 3)`` uint8.
        size: ``(h, w)`` of the input.
        count: Number of views K.
        rng: Source of random numbers.

    Returns:
        ``(K, h, w, 3)`` float32, from 0 to 255.

    Example:
        >>> import numpy as np
        >>> from bincam.inference import augmix_views
        >>> views = augmix_views(np.full((60, 40, 3), 99, np.uint8), (32, 32), 4, np.random.default_rng(0))
        >>> views.shape, bool(views.min() >= 0 and views.max() <= 255)
        ((4, 32, 32, 3), True)
    """
    views = np.empty((count, *size, 3), np.float32)
    for view in views:
        top, left, height, width = crop_box((image.shape[0], image.shape[1]), rng)
        crop = Image.fromarray(image[top : top + height, left : left + width])
        crop = crop.resize(size[::-1], Image.Resampling.BICUBIC)
        if rng.random() < 0.5:
            crop = ImageOps.mirror(crop)
        weights, own = rng.dirichlet(np.ones(CHAINS)), rng.beta(1.0, 1.0)
        mixed = np.zeros_like(view)
        for weight in weights:
            changed = crop
            for _ in range(int(rng.integers(1, DEEPEST + 1))):
                changed = OPERATIONS[int(rng.integers(len(OPERATIONS)))](changed, rng)
            mixed += np.float32(weight) * np.asarray(changed, np.float32)
        view[...] = own * np.asarray(crop, np.float32) + (1 - own) * mixed
    return np.clip(views, 0, 255)


def _level(rng: np.random.Generator, greatest: float) -> float:
    """A strength between a tenth of the severity and all of it, on the scale of an operation."""
    return float(rng.uniform(0.1, SEVERITY)) * greatest / 10


def _signed(rng: np.random.Generator, greatest: float) -> float:
    level = _level(rng, greatest)
    return -level if rng.random() < 0.5 else level


def _moved(picture: Picture, matrix: tuple[float, float, float, float, float, float]) -> Picture:
    bilinear = Image.Resampling.BILINEAR
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, resample=bilinear, fillcolor=(128, 128, 128))


def _autocontrast(picture: Picture, _: np.random.Generator) -> Picture:
    return ImageOps.autocontrast(picture)


def _equalise(picture: Picture, _: np.random.Generator) -> Picture:
    return ImageOps.equalize(picture)


def _posterise(picture: Picture, rng: np.random.Generator) -> Picture:
    return ImageOps.posterize(picture, 4 - int(_level(rng, 4)))


def _rotate(picture: Picture, rng: np.random.Generator) -> Picture:
    return picture.rotate(int(_signed(rng, 30)), resample=Image.Resampling.BILINEAR)


def _solarise(picture: Picture, rng: np.random.Generator) -> Picture:
    return ImageOps.solarize(picture, 256 - int(_level(rng, 256)))


def _shear_x(picture: Picture, rng: np.random.Generator) -> Picture:
    return _moved(picture, (1, _signed(rng, 0.3), 0, 0, 1, 0))


def _shear_y(picture: Picture, rng: np.random.Generator) -> Picture:
    return _moved(picture, (1, 0, 0, _signed(rng, 0.3), 1, 0))


def _shift_x(picture: Picture, rng: np.random.Generator) -> Picture:
    return _moved(picture, (1, 0, int(_signed(rng, picture.width / 3)), 0, 1, 0))


def _shift_y(picture: Picture, rng: np.random.Generator) -> Picture:
    return _moved(picture, (1, 0, 0, 0, 1, int(_signed(rng, picture.height / 3))))


OPERATIONS: tuple[Callable[[Picture, np.random.Generator], Picture], ...] = (
    *(_autocontrast, _equalise, _posterise, _rotate, _solarise, _shear_x, _shear_y, _shift_x, _shift_y),
)
"""The nine operations of AugMix that do not overlap with the corruptions of ImageNet-C."""
