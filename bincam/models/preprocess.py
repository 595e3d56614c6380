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
        InputError: Missing, truncated, not an image, or of pixels whose range is not known.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
            if not deep and image.mode in ("I", "F"):
                raise InputError(
                    f"{path}: pixels of mode {image.mode!r} have no known range; save it with 8 or 16 bits"
                )
            upright = ImageOps.exif_transpose(image)
            if deep:  # Pillow's own conversion clips at 255 instead of scaling
                upright = Image.fromarray((np.asarray(upright).astype(np.float64) / 257).round().astype(np.uint8))
            return upright.convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not an image") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: broken image: {error}") from None


def fit(image: Image, card: Card) -> Image:
    """Bring an image to the card's input size, by its ``fit``.

    Raises:
        InputError: It is to be cropped by landmarks, which an image alone has not.
    """
    from PIL import Image, ImageOps

    height, width = card.input_size
    if card.fit == "face":
        raise InputError(
            "the model reads faces cropped by their landmarks (its card's fit is 'face'), and an image file has none; "
            "give a data set with landmarks, or crop the image and give a card whose fit is 'stretch'"
        )
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

    Raises:
        InputError: The card's model reads neither one nor three channels, or faces cropped by landmarks.
    """
    if len(card.mean) not in (1, 3):
        raise InputError(
            f"the model reads {len(card.mean)} channels (its card's mean has so many), and an image file gives 1 or 3; "
            "make its input tensors yourself"
        )
    pixels = np.asarray(fit(image.convert("L") if len(card.mean) == 1 else image, card), dtype=np.float32) / 255
    tensor = torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)  # (C, H, W)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (card.mean, card.std))
    return (tensor - mean) / std
