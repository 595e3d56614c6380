"""From an image file to what a model's forward takes: the same pixels that the data loader gives for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bincam.data import crop
from bincam.data.images import decode
from bincam.errors import InputError
from bincam.models.card import Card

if TYPE_CHECKING:
    from PIL.Image import Image


def open_image(path: str | Path) -> Image:
    """Open an image file as RGB, upright.

    Raises:
        InputError: Missing, truncated, not an image, or of pixels whose range is not known.
    """
    from PIL import Image

    return Image.fromarray(decode(path))


def fit(image: Image, card: Card, landmarks: ArrayLike | None = None) -> Image:
    """Bring an image to the card's input size, by its ``fit``.

    Args:
        image: RGB.
        card: Gives size and fit.
        landmarks: ``(5, 2)`` x, y in the image's pixels, in the order of ``bincam.data.LANDMARKS``; a face crop is
            found by them.

    Raises:
        InputError: A face crop without landmarks.
    """
    from PIL import Image

    if card.fit == "face":
        if landmarks is None:
            raise InputError(
                "the model reads faces cropped by their landmarks (its card says fit 'face'), and none are given; pass "
                "landmarks=, or read the images through bincam.data.loader from a data set that has them"
            )
        matrix = crop.face_matrix(landmarks, card.input_size[0])
    else:
        matrix = crop.fit_matrix(card.fit, (image.height, image.width), card.input_size)
    return Image.fromarray(crop.warp(np.asarray(image.convert("RGB"), np.uint8), matrix, card.input_size))


def preprocess(image: Image, card: Card, landmarks: ArrayLike | None = None) -> Tensor:
    """Bring an image to the card's input size and normalise it.

    Args:
        image: RGB.
        card: Gives size, fit, mean and std.
        landmarks: ``(5, 2)``, for a card whose ``fit`` is ``face``.

    Returns:
        ``(C, H, W)``, float32.

    Raises:
        InputError: The card's model reads neither one nor three channels, or a face crop has no landmarks.
    """
    if len(card.mean) not in (1, 3):
        raise InputError(
            f"the model reads {len(card.mean)} channels (its card's mean has so many), and an image file gives 1 or 3; "
            "make its input tensors yourself"
        )
    fitted = fit(image, card, landmarks)
    pixels = np.asarray(fitted.convert("L") if len(card.mean) == 1 else fitted, dtype=np.float32) / 255
    tensor = torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)  # (C, H, W)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (card.mean, card.std))
    return (tensor - mean) / std
