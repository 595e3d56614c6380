"""Infidelity: does the evidence in a patch say by how much the logit falls when the patch is removed?"""

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

SIDES = (0.15, 0.5)  # of a patch, as shares of the image's shorter side


@dataclass(frozen=True)
class Infidelity:
    """How far the evidence is from the measured falls, each ``(B, A)``; NaN where side or map is undefined.

    Attributes:
        raw: The mean over patches of (evidence - fall)², in squared logit units.
        scale: β, by which the evidence is best multiplied: 1 for evidence in the right unit, 0 for evidence that says
            nothing, negative for what points the wrong way; NaN where no patch holds evidence.
        scaled: The same mean with the evidence multiplied by β.
        unexplained: ``scaled`` as a share of the mean squared fall, in [0, 1]: 0 where evidence is proportional to what
            removal does, 1 where it says nothing of it; NaN also where no patch changes the logit.
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
    """Compare evidence with the fall of the explained side's logit when square patches are removed.

    Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, arXiv 1901.09392, definition 2.1 with square
    removal, and its optimal scaling. Deviations: σS is evidence already multiplied by the input, so a patch's evidence
    is its sum over the patch, ⟨σS, Uᵀ1_m⟩ · hw / HW, not a product with the removed values; removed pixels take the
    baseline. The same patches are drawn for all images and attributes, so the cost is ``patches`` forward passes,
    however many attributes there are.

    Args:
        explainer: Of the model; its method is not used.
        images: ``(B, C, H, W)``, the clean ones.
        explanation: Of these images.
        patches: How many are drawn.
        baseline: What a removed pixel becomes, as in ``deletion``.
        seed: Of the patches; no global random state is read or changed.

    Returns:
        The measures.

    Raises:
        InputError: No patch, an unknown baseline, or images that are not those explained.
    """
    check_same(images, explanation)
    if patches < 1:
        raise InputError(f"patches={patches}; at least one is needed")
    masks = square_patches(explanation.image_size, patches, seed)
    base = make_baseline(images, baseline)
    clean = explainer.logits(images).to(explanation.side)
    falls = []
    for mask in masks:
        removed = torch.where(torch.from_numpy(mask).to(images.device), base, images)
        falls.append(explanation.side * (clean - explainer.logits(removed).to(clean)))
    h, w = explanation.maps.shape[-2:]
    weights = project(masks, (h, w)) * (h * w / masks[0].size)
    predicted = torch.einsum("bahw,nhw->ban", explanation.maps.double(), torch.from_numpy(weights).to(clean.device))
    return _compare(predicted, torch.stack(falls, -1).double())


def square_patches(size: tuple[int, int], count: int, seed: int = 0) -> NDArray[np.bool_]:
    """Squares of random side and place, whole within the image.

    Args:
        size: ``(H, W)``.
        count: How many.
        seed: Of the draws.

    Returns:
        ``(count, H, W)`` bool; every square has at least one pixel.
    """
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, *size), dtype=np.bool_)
    for mask in masks:
        side = max(1, round(rng.uniform(*SIDES) * min(size)))
        top, left = (int(rng.integers(0, length - side + 1)) for length in size)
        mask[top : top + side, left : left + side] = True
    return masks


def _compare(predicted: Tensor, fall: Tensor) -> Infidelity:
    """Mean squared differences over the last axis, before and after the best scaling."""
    square, product, falls = predicted.square().mean(-1), (predicted * fall).mean(-1), fall.square().mean(-1)
    scale = product / square  # 0/0 where no patch holds evidence
    scaled = (fall - scale[..., None] * predicted).square().mean(-1)
    scaled = torch.where(square == 0, falls, scaled)
    return Infidelity(
        raw=(predicted - fall).square().mean(-1),
        scale=scale,
        scaled=scaled,
        unexplained=(scaled / falls).clamp(max=1),
    )
