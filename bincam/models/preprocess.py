"""From an image file to what a model's forward takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.models.card import Card

if TYPE_CHECKING:
    from PIL.Image import Image


def open_image(path: str | Path) -> Image:
    """Open an image file as RGB, upright.

    Raises:
        InputError: Missing, truncated, or not an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not an image") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: broken image: {error}") from None


def fit(image: Image, card: Card) -> Image:
    """Bring an image to the card's input size, by its ``fit``."""
    from PIL import Image, ImageOps

    height, width = card.input_size
    if card.fit == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR)
    return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)


def preprocess(image: Image, card: Card) -> Tensor:
    """Bring an image to the card's input size and normalise it.

    Args:
        image: RGB.
        card: Gives size, fit, mean and std.

    Returns:
        ``(C, H, W)``, float32.
    """
    pixels = np.asarray(fit(image.convert("L") if len(card.mean) == 1 else image, card), dtype=np.float32) / 255
    tensor = torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)  # (C, H, W)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (card.mean, card.std))
    return (tensor - mean) / std
