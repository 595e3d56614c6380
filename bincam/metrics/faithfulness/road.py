"""ROAD (remove and debias): the score of the explained side after pixels are removed by noisy linear imputation.

Rong, Leemann, Borisov, Kasneci and Kasneci 2022, A Consistent and Efficient Evaluation Strategy for Attribution
Methods, arXiv 2202.00449. A removed pixel becomes the weighted mean of its neighbours, which may also be removed, so
the values solve a linear system; noise is added. The removal itself is thereby hardly visible to the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from bincam.cam import Explainer, Explanation
from bincam.errors import InputError
from bincam.metrics.faithfulness.deletion_insertion import check_same, selected_columns, side_score, undefined
from bincam.metrics.faithfulness.pixel_ranking import ranks, strongest, weakest

FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NOISE = 0.01  # standard deviation, in the units of the model's input
DIRECT, DIAGONAL = 1 / 6, 1 / 12  # the weights of a pixel's neighbours


@dataclass(frozen=True)
class Road:
    """The score of the explained side after removing pixels.

    Attributes:
        attributes: A names.
        fractions: ``(F,)``, shares of removed pixels.
        most: ``(B, A, F)``, probabilities with the most relevant pixels removed; NaN where side or map is undefined.
        least: ``(B, A, F)``, the same with the least relevant pixels removed.
        score: ``(B, A)``, the mean over the fractions of (least - most) / 2, in [-0.5, 0.5]: 0 for an uninformative
            order, and higher is better.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import road
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> explainer, images = Explainer(model), torch.rand(4, 3, 16, 16)
        >>> result = road(explainer, images, explainer(images), fractions=(0.3,))
        >>> bool((result.score.abs() <= 0.5).all())
        True
    """

    attributes: tuple[str, ...]
    fractions: Tensor
    most: Tensor
    least: Tensor
    score: Tensor


def road(
    explainer: Explainer,
    images: Tensor,
    explanation: Explanation,
    attributes: Sequence[str] | None = None,
    *,
    fractions: Sequence[float] = FRACTIONS,
    noise: float = NOISE,
    seed: int = 0,
) -> Road:
    """Remove the most and the least relevant pixels by noisy linear imputation.

    The combined score is that of pytorch-grad-cam. Deviations from it: exactly the stated fraction is removed, also
    from sparse maps, of which a percentile removes everything; the signed map is ranked; the score is the probability
    of the clean image's side.

    Args:
        explainer: Explainer of the model; its method is not used.
        images: The clean images, ``(B, C, H, W)``.
        explanation: Explanation of these images.
        attributes: Attributes whose maps are followed; None for all. The cost is two forward passes and two
            imputations per attribute and fraction.
        fractions: Shares of removed pixels, from 0 to below 1, because some pixels must remain.
        noise: Standard deviation of the noise added to imputed pixels, in the units of the model's input.
        seed: Seed of the noise and of the order among equally strong pixels.

    Returns:
        Both curves and the score.

    Raises:
        InputError: An attribute is unknown, a fraction is outside [0, 1), or the images are not the explained ones.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import road
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        >>> explainer, images = Explainer(model, names=["Smiling", "Bald"]), torch.rand(4, 3, 16, 16)
        >>> explanation = explainer(images)
        >>> result = road(explainer, images, explanation, ["Smiling"], fractions=(0.2, 0.5))
        >>> result.most.shape, result.score.shape
        (torch.Size([4, 1, 2]), torch.Size([4, 1]))
        >>> torch.allclose(result.score, (result.least - result.most).mean(-1) / 2)
        True
    """
    check_same(images, explanation)
    columns = selected_columns(explanation, attributes)
    if not fractions or not all(0 <= fraction < 1 for fraction in fractions):
        raise InputError(f"fractions={tuple(fractions)}; expected at least one, each from 0 to below 1")
    shape = (len(images), len(columns), len(fractions))
    most, least = (torch.full(shape, torch.nan).to(explanation.side) for _ in range(2))
    for index, column in enumerate(columns):
        ranked = ranks(explanation.maps[:, column], explanation.image_size, seed).to(images.device)
        for step, fraction in enumerate(fractions):
            for scores, select in ((most, strongest), (least, weakest)):
                changed = impute(images, select(ranked, fraction), noise, seed)
                scores[:, index, step] = side_score(explainer, changed, explanation)[:, column]
    no_order = undefined(explanation, columns)[..., None]
    most, least = most.masked_fill(no_order, torch.nan), least.masked_fill(no_order, torch.nan)
    names = tuple(explanation.attributes[c] for c in columns)
    return Road(names, torch.tensor(fractions, dtype=torch.float64), most, least, (least - most).mean(-1) / 2)


def impute(images: Tensor, missing: Tensor, noise: float = NOISE, seed: int = 0) -> Tensor:
    """Fill missing pixels by noisy linear imputation.

    Every missing pixel becomes the mean of its up to eight neighbours, with weights 1/6 (horizontal and vertical) and
    1/12 (diagonal), renormalised at the border, plus Gaussian noise. One field of noise is drawn from the seed for all
    images, so that no result depends on the batch.

    Args:
        images: ``(N, C, H, W)``, floating.
        missing: ``(N, H, W)`` bool.
        noise: Standard deviation in the images' units; 0 for none.
        seed: Seed of the noise; the global random state is neither read nor changed.

    Returns:
        ``(N, C, H, W)``; pixels that are not missing are unchanged.

    Raises:
        InputError: Shapes do not match, ``noise`` is negative, or all pixels of an image are missing.

    Example:
        >>> import torch
        >>> from bincam.metrics import impute
        >>> image, missing = torch.tensor([[[[0.0, 0.0, 3.0]]]]), torch.tensor([[[False, True, False]]])
        >>> impute(image, missing, noise=0).tolist()
        [[[[0.0, 1.5, 3.0]]]]
    """
    if images.ndim != 4 or missing.shape != (len(images), *images.shape[2:]):
        raise InputError(f"images {tuple(images.shape)} and missing pixels {tuple(missing.shape)} differ")
    if not noise >= 0:
        raise InputError(f"noise={noise}; expected 0 or more")
    blank = missing.flatten(1).all(1)
    if bool(blank.any()):
        raise InputError(f"every pixel of image {int(blank.nonzero()[0])} is missing: nothing to impute it from")
    size = (int(images.shape[2]), int(images.shape[3]))
    added = noise * torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(seed)).to(images)
    filled = images.clone()
    for image, holes, result in zip(images, missing.cpu().numpy(), filled, strict=True):
        if holes.any():
            values = _solve(image.detach().double().flatten(1).cpu().numpy(), holes.ravel(), size)  # (C, holes)
            at = torch.from_numpy(holes).to(images.device)
            result[:, at] = torch.from_numpy(values).to(images) + added[:, at]
    return filled


def _solve(pixels: np.ndarray, holes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Compute the values of the missing pixels ``(C, holes)`` of one image ``(C, HW)``."""
    neighbours, weight_sum = _neighbours(size)
    rows = neighbours[holes]
    system = sparse.diags_array(weight_sum[holes]) - rows[:, holes]
    # The matrix is symmetric and diagonally dominant: it needs no pivoting, and this ordering keeps the factors small.
    factors = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return factors.solve(rows[:, ~holes] @ pixels[:, ~holes].T).T


@lru_cache(maxsize=4)
def _neighbours(size: tuple[int, int]) -> tuple[sparse.csr_array, np.ndarray]:
    """Compute the weights between neighbouring pixels ``(HW, HW)``, and their sum for each pixel."""
    index = np.arange(size[0] * size[1]).reshape(size)
    pairs = (
        (index[:, :-1], index[:, 1:], DIRECT),
        (index[:-1], index[1:], DIRECT),
        (index[:-1, :-1], index[1:, 1:], DIAGONAL),
        (index[:-1, 1:], index[1:, :-1], DIAGONAL),
    )
    a = np.concatenate([pixels.ravel() for pixels, _, _ in pairs])
    b = np.concatenate([neighbours.ravel() for _, neighbours, _ in pairs])
    weight = np.concatenate([np.full(pixels.size, w) for pixels, _, w in pairs])
    values, places = np.r_[weight, weight], (np.r_[a, b], np.r_[b, a])
    matrix = sparse.csr_array((values, places), shape=(index.size, index.size))
    return matrix, np.asarray(matrix.sum(1)).ravel()
