"""Infidelity: the difference between the evidence in a patch and the fall of the logit when the patch is removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.cam import Explainer, Explanation
from bincam.errors import InputError
from bincam.metrics.faithfulness.deletion_insertion import Baseline, check_same, make_baseline
from bincam.resample import project

ROUNDING = 8  # units in the last place by which two logits of the same pixels may differ
SIDES = (0.15, 0.5)  # smallest and largest side of a patch, as shares of the image's shorter side


@dataclass(frozen=True)
class Infidelity:
    """Deviation of the evidence from the measured falls, each ``(B, A)``; NaN where side or map is undefined.

    Attributes:
        raw: The mean over patches of (evidence - fall)², in squared logit units.
        scale: β, the optimal factor of the evidence: 1 for evidence in the right unit, 0 for uninformative evidence,
            negative for evidence of the wrong sign; NaN where no patch contains evidence.
        scaled: The same mean with the evidence multiplied by β.
        unexplained: ``scaled`` as a share of the mean squared fall, in [0, 1]: 0 where the evidence is proportional to
            the falls, 1 where it is unrelated to them; NaN also where no patch changes the logit by more than rounding.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import infidelity
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> explainer, images = Explainer(model), torch.rand(4, 3, 16, 16)
        >>> measures = infidelity(explainer, images, explainer(images), patches=10)
        >>> bool((measures.unexplained <= 1).all())
        True
    """

    raw: Tensor
    scale: Tensor
    scaled: Tensor
    unexplained: Tensor


def infidelity(
    explainer: Explainer,
    images: Tensor,
    explanation: Explanation,
    *,
    patches: int = 50,
    baseline: Baseline = "mean",
    seed: int = 0,
) -> Infidelity:
    """Compare the evidence with the fall of the explained side's logit when square patches are removed.

    Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, arXiv 1901.09392, definition 2.1 with square
    removal, and its optimal scaling. Deviations: σS is evidence already multiplied by the input, so a patch's evidence
    is its sum over the patch, ⟨σS, Uᵀ1_m⟩ · hw / HW, not a product with the removed values; removed pixels become the
    baseline. All images and attributes share the same patches, so the cost is ``patches`` forward passes for any number
    of attributes.

    Args:
        explainer: Explainer of the model; its method is not used.
        images: The clean images, ``(B, C, H, W)``.
        explanation: Explanation of these images.
        patches: Number of patches.
        baseline: Value of removed pixels, as in ``deletion``.
        seed: Seed of the patches; the global random state is neither read nor changed.

    Returns:
        The measures.

    Raises:
        InputError: ``patches`` is below 1, the baseline is unknown, or the images are not the explained ones.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import infidelity
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        >>> explainer, images = Explainer(model, names=["Smiling", "Bald"]), torch.rand(4, 3, 16, 16)
        >>> explanation = explainer(images)
        >>> measures = infidelity(explainer, images, explanation, patches=10)
        >>> measures.raw.shape, bool((measures.scaled <= measures.raw).all())
        (torch.Size([4, 2]), True)
    """
    check_same(images, explanation)
    if patches < 1:
        raise InputError(f"patches={patches}; at least one is needed")
    masks = square_patches(explanation.image_size, patches, seed)
    base = make_baseline(images, baseline)
    clean = explainer.logits(images, like=explanation).to(explanation.side)
    falls = []
    for mask in masks:
        removed = torch.where(torch.from_numpy(mask).to(images.device), base, images)
        falls.append(explanation.side * (clean - explainer.logits(removed, like=explanation).to(clean)))
    h, w = explanation.maps.shape[-2:]
    weights = project(masks, (h, w)) * (h * w / masks[0].size)
    predicted = torch.einsum("bahw,nhw->ban", explanation.maps.double(), torch.from_numpy(weights).to(clean.device))
    noise = ROUNDING * torch.finfo(clean.dtype).eps * clean.double().abs()
    return _compare(predicted, torch.stack(falls, -1).double(), noise)


def square_patches(size: tuple[int, int], count: int, seed: int = 0) -> NDArray[np.bool_]:
    """Draw squares of random side and position within the image.

    Args:
        size: ``(H, W)``.
        count: Number of squares.
        seed: Seed of the draws.

    Returns:
        ``(count, H, W)`` bool; every square has at least one pixel.

    Example:
        >>> from bincam.metrics import square_patches
        >>> square_patches((16, 16), 3).shape
        (3, 16, 16)
    """
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, *size), dtype=np.bool_)
    for mask in masks:
        side = max(1, round(rng.uniform(*SIDES) * min(size)))
        top, left = (int(rng.integers(0, length - side + 1)) for length in size)
        mask[top : top + side, left : left + side] = True
    return masks


def _compare(predicted: Tensor, fall: Tensor, noise: Tensor) -> Infidelity:
    """Compute mean squared differences over the last axis, before and after the optimal scaling.

    Falls that are not larger than the noise ``(B, A)`` are rounding errors, of which no share can be explained.
    """
    square, product, falls = predicted.square().mean(-1), (predicted * fall).mean(-1), fall.square().mean(-1)
    scale = product / square  # 0/0 where no patch contains evidence
    scaled = (fall - scale[..., None] * predicted).square().mean(-1)
    scaled = torch.where(square == 0, falls, scaled)
    return Infidelity(
        raw=(predicted - fall).square().mean(-1),
        scale=scale,
        scaled=scaled,
        unexplained=torch.where(falls > noise.square(), (scaled / falls).clamp(max=1), torch.nan),
    )
