"""The check of images before they are explained."""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.errors import InputError


def check_images(images: Tensor) -> None:
    """Refuse images that no model can take.

    Raises:
        InputError: They are not a floating ``(B, C, H, W)`` tensor, are empty, or have NaN or infinite pixels (the
            message gives the indices).
    """
    if not isinstance(images, Tensor):
        raise InputError(f"images are a torch.Tensor (B, C, H, W), got {type(images).__name__}")
    if images.ndim != 4:
        raise InputError(f"images have shape (B, C, H, W), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise InputError(
            f"images are {images.dtype}, but the model takes floats, scaled and normalised as in training; "
            "Explainer.preprocess converts a PIL image"
        )
    if images.numel() == 0:
        raise InputError(f"an empty batch: images have shape {tuple(images.shape)}")
    not_finite = ~torch.isfinite(images).flatten(1).all(1)
    if bool(not_finite.any()):
        indices = ", ".join(str(int(n)) for n in not_finite.nonzero()[:5])
        raise InputError(
            f"{int(not_finite.sum())} of {len(images)} images have NaN or infinite pixels (index {indices})"
        )
