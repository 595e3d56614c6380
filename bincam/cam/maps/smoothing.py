"""Averages of maps over noisy or mirrored copies of images, all for the side of the clean image."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bincam.cam.engine import Explainer
from bincam.cam.explanation import Explanation
from bincam.cam.requests.targets import Side
from bincam.errors import InputError


def smooth(
    explainer: Explainer,
    images: Tensor,
    side: Side = "predicted",
    labels: Tensor | None = None,
    *,
    samples: int = 16,
    noise: float = 0.1,
    seed: int = 0,
) -> Explanation:
    """Average the maps of noisy copies.

    Smilkov et al. 2017, SmoothGrad, arXiv 1706.03825, equation 1, applied to any method. Deviations: the averaged
    quantity is the signed map, and every copy is explained for the side of the clean image, so that a copy whose
    prediction flips does not count for the other side. Logits, sides and the ledger remain those of the clean image.

    Args:
        explainer: Explainer with the method to average.
        images: ``(B, C, H, W)``.
        side: As for the explainer.
        labels: As for the explainer.
        samples: Number of noisy copies.
        noise: Standard deviation of the noise as a share of each image's range (max - min), as in the paper.
        seed: Seed of the noise; the global random state is neither read nor changed.

    Returns:
        The clean explanation with averaged maps.

    Raises:
        InputError: ``samples`` is below 1, or ``noise`` is negative.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam.cam import Explainer, smooth
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> smoothed = smooth(Explainer(model), torch.rand(4, 3, 16, 16), samples=4)
        >>> smoothed.method, smoothed.maps.shape
        ('smooth(grad_cam)', torch.Size([4, 1, 14, 14]))
    """
    if samples < 1 or noise < 0:
        raise InputError(f"smoothing needs at least one sample and noise of 0 or more, got {samples} and {noise}")
    clean = explainer(images, side, labels)
    generator = torch.Generator().manual_seed(seed)
    spread = noise * (images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True))
    total = torch.zeros_like(clean.maps)
    for _ in range(samples):
        standard_normal = torch.randn(images.shape, generator=generator).to(images)
        total += explainer(images + spread * standard_normal, like=clean).maps
    return replace(clean, maps=total / samples, method=f"smooth({clean.method})", complete=False)


def flips(explainer: Explainer, images: Tensor, side: Side = "predicted", labels: Tensor | None = None) -> Explanation:
    """Average the maps of images and of their mirror images, the latter mirrored back.

    Args:
        explainer: Explainer with the method to average.
        images: ``(B, C, H, W)``.
        side: As for the explainer.
        labels: As for the explainer.

    Returns:
        The clean explanation with averaged maps; logits, sides and the ledger remain those of the clean image.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam.cam import Explainer, flips
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> images = torch.rand(4, 3, 16, 16)
        >>> symmetric = flips(Explainer(model), images + images.flip(-1)).maps
        >>> torch.allclose(symmetric, symmetric.flip(-1), atol=1e-5)
        True
    """
    clean = explainer(images, side, labels)
    mirrored = explainer(images.flip(-1), like=clean).maps.flip(-1)
    return replace(clean, maps=(clean.maps + mirrored) / 2, method=f"flips({clean.method})", complete=False)
