"""Preprocessing of single images, with the same result as the data loader's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.data import crop
from bincam.data.decoding.bands import photograph
from bincam.errors import InputError
from bincam.models.card import Card

if TYPE_CHECKING:
    from PIL.Image import Image


def open_image(path: str | Path) -> Image:
    """Open an image file as RGB, with its EXIF orientation applied.

    Raises:
        InputError: The file is missing, truncated, not an image, or has pixels of unknown range.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> from bincam.models import open_image
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("L", (4, 2)).save(f"{folder}/grey.png")
        ...     image = open_image(f"{folder}/grey.png")
        >>> image.mode, image.size
        ('RGB', (4, 2))
    """
    from PIL import Image

    return Image.fromarray(photograph(path))


def fit(image: Image, card: Card, landmarks: ArrayLike | None = None) -> Image:
    """Bring an image to the card's input size, by its ``fit``.

    Args:
        image: RGB.
        card: Card with size and fit.
        landmarks: ``(5, 2)`` x, y in the image's pixels, in the order of ``bincam.data.LANDMARKS``; needed
            for a face crop.

    Raises:
        InputError: A face crop without landmarks.
    """
    from PIL import Image

    matrix = input_matrix(card, (image.height, image.width), landmarks)
    return Image.fromarray(crop.warp(np.asarray(image.convert("RGB"), np.uint8), matrix, card.input_size))


def input_matrix(card: Card, size: tuple[int, int], landmarks: ArrayLike | None = None) -> crop.Floats:
    """Return the matrix ``(2, 3)`` from pixels of an image to those of the model's input, by the card's ``fit``.

    Args:
        card: Card with size and fit.
        size: (H, W) of the image.
        landmarks: As of ``fit``; not used by other cards than those of face crops.

    Raises:
        InputError: A face crop without landmarks.
    """
    if card.fit != "face":
        return crop.fit_matrix(card.fit, size, card.input_size)
    if landmarks is None:
        raise InputError(
            "the model reads faces cropped by their landmarks (fit 'face' in its card), but no landmarks were "
            "passed; pass landmarks=, or use bincam.data.loader on a data set that has them"
        )
    return crop.face_matrix(landmarks, card.input_size[0])


def preprocess(image: Image, card: Card, landmarks: ArrayLike | None = None) -> Tensor:
    """Bring an image to the card's input size and normalise it.

    Args:
        image: RGB.
        card: Card with size, fit, mean and std.
        landmarks: ``(5, 2)``, for a card whose ``fit`` is ``face``.

    Returns:
        ``(C, H, W)``, float32.

    Raises:
        InputError: The card's model reads neither one nor three channels, or a face crop has no landmarks.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> from bincam import models
        >>> card = models.make_card(
        ...     attributes=("Smiling",), architecture="timm", name="resnet18", input_size=(64, 48), fit="crop"
        ... )
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("RGB", (640, 480)).save(f"{folder}/photo.png")
        ...     image = models.open_image(f"{folder}/photo.png")
        >>> models.preprocess(image, card).shape
        torch.Size([3, 64, 48])
    """
    if len(card.mean) not in (1, 3):
        raise InputError(
            f"the model reads {len(card.mean)} channels (the length of its card's mean), but photographs have 1 or 3; "
            "read its images with bincam.data.decode_bands, and prepare them with preprocess_values"
        )
    fitted = fit(image, card, landmarks)
    pixels = np.asarray(fitted.convert("L") if len(card.mean) == 1 else fitted, dtype=np.float32) / 255
    return _normalised(np.atleast_3d(pixels), card)


def preprocess_values(values: NDArray[np.generic], card: Card, landmarks: ArrayLike | None = None) -> Tensor:
    """Bring an image of any number of channels to the card's input size and normalise it.

    Args:
        values: ``(H, W, C)`` from 0 to 255, as ``bincam.data.decode_bands`` reads it.
        card: Card with size, fit, and means and stds of C channels.
        landmarks: As of ``preprocess``.

    Returns:
        ``(C, H, W)``, float32.

    Raises:
        InputError: The image has another number of channels, or a face crop has no landmarks.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> card = models.make_card(
        ...     attributes=("Water",), architecture="timm", name="resnet18", input_size=(8, 8),
        ...     mean=(0.5,) * 13, std=(0.25,) * 13, fit="stretch",
        ... )
        >>> models.preprocess_values(np.full((4, 6, 13), 255.0, np.float32), card)[:, 0, 0].unique()
        tensor([2.])
    """
    if values.ndim != 3 or values.shape[2] != len(card.mean):
        raise InputError(
            f"an image of shape {values.shape}; expected (H, W, {len(card.mean)}), as the card's mean says"
        )
    fitted = fit_values(values, card, landmarks)
    return _normalised(fitted / np.float32(255), card)


def fit_values(values: NDArray[np.generic], card: Card, landmarks: ArrayLike | None = None) -> NDArray[np.float32]:
    """Bring an image ``(H, W, C)`` from 0 to 255 to the card's input size, by its ``fit``, as ``fit`` does pictures."""
    matrix = input_matrix(card, (values.shape[0], values.shape[1]), landmarks)
    return crop.warp(np.asarray(values, np.float32), matrix, card.input_size)


def _normalised(pixels: NDArray[np.float32], card: Card) -> Tensor:
    """Bring pixels ``(H, W, C)`` from 0 to 1 into the card's form, ``(C, H, W)``."""
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (card.mean, card.std))
    return (tensor - mean) / std
