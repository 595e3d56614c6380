"""What an explainer accepts as images."""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.errors import InputError


def check_images(images: Tensor) -> None:
    """Refuse what a model cannot be asked about.

    Raises:
        InputError: Not a floating ``(B, C, H, W)`` tensor, empty, or with NaN or infinite pixels (images are named).
    """
    if not isinstance(images, Tensor):
        raise InputError(f"images are a torch.Tensor (B, C, H, W), got {type(images).__name__}")
    if images.ndim != 4:
        raise InputError(f"images have shape (B, C, H, W), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise InputError(
            f"images are {images.dtype}, but the model takes floats as it was trained on (scaled and normalised); "
            "Explainer.preprocess makes them of a PIL image"
        )
    if images.numel() == 0:
        raise InputError(f"an empty batch: images have shape {tuple(images.shape)}")
    broken = ~torch.isfinite(images).flatten(1).all(1)
    if bool(broken.any()):
        which = ", ".join(str(int(n)) for n in broken.nonzero()[:5])
        raise InputError(f"{int(broken.sum())} of {len(images)} images have NaN or infinite pixels (index {which})")
