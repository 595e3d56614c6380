"""RISE: the model's mean score over random masks that show a place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from bincam.cam import Explainer
from bincam.cam.requests.inputs import check_images
from bincam.errors import InputError
from bincam.metrics.faithfulness.deletion_insertion import Baseline, make_baseline
from bincam.metrics.perturbation.occlusion import edges
from bincam.resample import upsample

MASKS = 500
SHOWN, COARSE = 0.5, 7
"""Probability that a coarse cell is shown, and coarse cells per side, as in the paper."""


def rise(
    explainer: Explainer,
    images: Tensor,
    grid: tuple[int, int],
    *,
    masks: int = MASKS,
    shown: float = SHOWN,
    coarse: int = COARSE,
    baseline: Baseline = "mean",
    seed: int = 0,
) -> Tensor:
    """Weight random masks by each output's logit under them.

    Petsiuk, Das and Saenko 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", arXiv
    1806.07421, equation 6: S = Σ_i f(I ⊙ M_i) M_i / (N p). Deviations: f is the logit less its mean over the masks,
    which removes the constant that every pixel would get (of a finite sample, with the noise of the masks' own mean)
    and changes no order in expectation; hidden pixels get the image's mean colour or its blur, where the paper has 0;
    and the map is averaged over the cells of a grid, to be compared with other maps on it.

    All images get the same masks, so the noise of a sample that two similar images share cancels in their difference.

    Args:
        explainer: Of the model; its method and layer are not used.
        images: ``(B, C, H, W)``, as for the explainer.
        grid: ``(h, w)`` of the result.
        masks: N, number of masks. The paper has 4,000 to 8,000 for photographs of 224 pixels.
        shown: p, probability that a coarse cell of a mask is shown.
        coarse: Coarse cells per side of a mask.
        baseline: Value of hidden pixels, as in ``deletion``.
        seed: Of the masks; the global random state is neither read nor changed.

    Returns:
        ``(B, A, h, w)``: larger where showing the place raises the logit. Its scale is that of logits, but cells are no
        parts of the logit and do not add up to it. The cost is N forward passes of the batch for any number of
        attributes.

    Raises:
        InputError: Fewer than two masks, p outside (0, 1), a grid that the image cannot have, an unknown baseline, or
            images that contradict what the explainer was told.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import rise
        >>> model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 1))
        >>> for weight in model.parameters():
        ...     _ = nn.init.ones_(weight)
        >>> image = torch.zeros(1, 1, 12, 12)
        >>> image[..., :6, :6] = 4  # the sum is largest where this corner is shown
        >>> rise(Explainer(model), image, (2, 2), masks=100).flatten().argmax().item()
        0
    """
    check_images(images)
    if masks < 2:
        raise InputError(f"masks={masks}; a mean over masks needs at least 2")
    if not 0 < shown < 1:
        raise InputError(f"shown={shown:g}; a cell is shown with a probability above 0 and below 1")
    if coarse < 1:
        raise InputError(f"coarse={coarse}; a mask has at least one coarse cell per side")
    size = images.shape[-2], images.shape[-1]
    rows, columns = (edges(cells, pixels) for cells, pixels in zip(grid, size, strict=True))
    base = make_baseline(images, baseline)
    weighted = scores = shares = torch.zeros((), dtype=torch.float64)
    for mask in random_masks(size, masks, shown=shown, coarse=coarse, seed=seed):
        visible = mask.to(images)
        z = explainer.logits(images * visible + base * (1 - visible)).double()  # (B, A)
        share = _cell_means(mask, rows, columns).to(z)  # (h, w)
        weighted = weighted + z[..., None, None] * share
        scores, shares = scores + z, shares + share
    centred = weighted - scores[..., None, None] / masks * shares
    return (centred / (masks * shown)).to(images.dtype)


def random_masks(
    size: tuple[int, int], count: int, *, shown: float = SHOWN, coarse: int = COARSE, seed: int = 0
) -> Iterator[Tensor]:
    """Draw smooth random masks: coarse ones of 0 and 1, upsampled, and cut out at a random place.

    Petsiuk, Das and Saenko 2018, section 3.2: s x s cells are upsampled bilinearly to (s + 1)C pixels, with C the size
    of a cell, and the mask is a part of them that begins at most C pixels from the corner.

    Args:
        size: ``(H, W)``.
        count: Number of masks.
        shown: Probability that a coarse cell is 1.
        coarse: s.
        seed: Of the draws; the same seed gives the same masks in order, however many are drawn.

    Yields:
        ``(H, W)`` float32 in [0, 1].

    Example:
        >>> from bincam.metrics.perturbation.rise import random_masks
        >>> [mask.shape for mask in random_masks((32, 24), 2)]
        [torch.Size([32, 24]), torch.Size([32, 24])]
    """
    random = np.random.default_rng(seed)
    cell = [-(-pixels // coarse) for pixels in size]
    for _ in range(count):
        drawn = torch.from_numpy((random.random((coarse, coarse)) < shown).astype(np.float32))
        top, left = (int(random.integers(0, step)) for step in cell)
        large = upsample(drawn, ((coarse + 1) * cell[0], (coarse + 1) * cell[1]))
        yield large[top : top + size[0], left : left + size[1]]


def _cell_means(mask: Tensor, rows: list[int], columns: list[int]) -> Tensor:
    """Average a mask ``(H, W)`` over cells: ``(h, w)``."""
    wide = mask.double()
    by_row = torch.stack([wide[a:b].mean(0) for a, b in pairwise(rows)])
    return torch.stack([by_row[:, a:b].mean(1) for a, b in pairwise(columns)], 1)
