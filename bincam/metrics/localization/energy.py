"""How much of a map's evidence lies in a region, measured on the map's own grid.

All functions take σS ``(B, A, h, w)``, evidence for the explained side in logit units, and measure (σS)⁺. A region M
enters as Uᵀ1_M (``bincam.resample.project``), so that ⟨(σS)⁺, Uᵀ1_M⟩ is the sum of the upsampled map over the region
and no full-size map is made. The ReLU comes before the upsampling.

Maps in half precision are measured in float32, others as they are. Every image is measured alone: the result has the
same bits whatever batch the image is in. What is undefined is NaN, never 0; a map with a NaN or an infinite cell has no
measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.errors import InputError
from bincam.resample import matrix

QUARTER = 0.25  # the share of the cells that ``concentration`` looks at
WHOLE = 1e-6  # a region whose area share is this close to 1 is everything


@dataclass(frozen=True)
class RegionMeasures:
    """How much of the evidence lies in a region, each ``(B, A)``.

    Attributes:
        energy: E = ⟨(σS)⁺, Uᵀ1_M⟩ / ⟨(σS)⁺, Uᵀ1⟩ in [0, 1]; NaN for an empty map, and for an empty or missing region.
        lift: E / f, with f the region's area share: 1 is what evidence spread evenly has; NaN where E is.
        gain: (E - f) / (1 - f): 0 is evenly spread, 1 all inside, negative mostly outside; NaN where E is, and where
            the region is everything.
        area: f.
    """

    energy: Tensor
    lift: Tensor
    gain: Tensor
    area: Tensor


def region_measures(maps: Tensor, weights: Tensor, total: Tensor, area: Tensor | None = None) -> RegionMeasures:
    """Energy in the region, at image resolution, and the same corrected for the region's size.

    Energy is the proportional energy of Wang et al. 2020 (Score-CAM, arXiv 1910.01279), the "energy-based
    pointing game". Deviation: the map is rectified and neither shifted nor scaled, so that what the model has no
    evidence for counts nothing; ``published_energy`` has the convention with a shift.

    Args:
        maps: ``(B, A, h, w)``, σS.
        weights: ``(B, A, h, w)``, or ``(A, h, w)`` for regions that all images share: Uᵀ1_M; NaN where there is no
            region.
        total: ``(h, w)``, Uᵀ1.
        area: ``(B, A)`` or ``(A,)``, f; None computes ΣUᵀ1_M / ΣUᵀ1, which it is, for each row of U sums to 1.

    Returns:
        The measures.

    Raises:
        InputError: Shapes that do not belong together.
    """
    r = evidence(maps)  # (B, A, hw)
    w, t = _weights(r, maps, weights), _total(maps, total)
    share = area_share(weights, total) if area is None else area
    f = share.to(r).expand(r.shape[:2])
    all_of_it, inside = (r * t).sum(-1), (r * w).sum(-1)
    energy = _where((all_of_it > 0) & (f > 0), inside / all_of_it)
    return RegionMeasures(energy, energy / f, _where(f < 1 - WHOLE, (energy - f) / (1 - f)), f)


def area_share(weights: Tensor, total: Tensor) -> Tensor:
    """The area shares f of regions, from their weights.

    Args:
        weights: ``(..., h, w)``, Uᵀ1_M.
        total: ``(h, w)``, Uᵀ1.

    Returns:
        ``(...)`` in [0, 1]; NaN where there is no region.
    """
    return weights.sum((-2, -1)) / total.to(weights).sum()


def published_energy(maps: Tensor, weights: Tensor, total: Tensor, size: tuple[int, int]) -> Tensor:
    """Energy by the source paper's convention: of the rectified, upsampled map after min-max scaling, 0 when empty.

    Zhang, Bieri and Günther 2024, arXiv 2403.14435, "proportional energy", whose maps come from pytorch-grad-cam:
    rectified, upsampled, and brought to [0, 1] by their own minimum and maximum. The scale cancels in the ratio, so the
    minimum m of the upsampled map is all that is needed: E = ⟨(σS)⁺ - m, Uᵀ1_M⟩ / ⟨(σS)⁺ - m, Uᵀ1⟩, since U keeps
    constants. U is bilinear between neighbouring cell centres, so m is taken at the first or last pixel row and column
    of such a patch: it is found exactly among at most 4 (h + 1) (w + 1) pixels. No deviation is left but rounding.

    Args:
        maps: ``(B, A, h, w)``, σS.
        weights: ``(B, A, h, w)`` or ``(A, h, w)``, Uᵀ1_M; NaN where there is no region.
        total: ``(h, w)``, Uᵀ1.
        size: ``(H, W)`` of the image.

    Returns:
        ``(B, A)``: 0 for an empty or a constant map; NaN where the map is not finite or the region is empty or missing.

    Raises:
        InputError: Shapes that do not belong together.
    """
    r = evidence(maps)
    w, t = _weights(r, maps, weights), _total(maps, total)
    shifted = r - _minimum_upsampled(r.reshape(maps.shape), size)[..., None]
    flat = r.amin(-1) == r.amax(-1)
    inside, all_of_it = (shifted * w).sum(-1), (shifted * t).sum(-1)
    energy = torch.where(flat, torch.zeros_like(inside), inside / all_of_it)
    return _where(~r.sum(-1).isnan() & (w.sum(-1) > 0), energy)


def relevance_rank(maps: Tensor, weights: Tensor, total: Tensor) -> Tensor:
    """Relevance rank accuracy: how much of the region the strongest cells cover that together have the region's area.

    Arras, Osman and Samek 2022, arXiv 2003.07258, with cells for pixels: cells are taken from the strongest
    down until their area Uᵀ1 reaches |M|, and the share of M in them is counted. Deviations: the last cell enters by
    the fraction that fits, and cells of equal evidence, those without any included, share what fits, which is the mean
    over all orders of them. A region whose border cuts cells cannot reach 1.

    Args:
        maps: ``(B, A, h, w)``, σS.
        weights: ``(B, A, h, w)`` or ``(A, h, w)``, Uᵀ1_M; NaN where there is no region.
        total: ``(h, w)``, Uᵀ1.

    Returns:
        ``(B, A)`` in [0, 1]; NaN for an empty map, and for an empty or missing region. f is what chance gives.

    Raises:
        InputError: Shapes that do not belong together.
    """
    r = evidence(maps)
    w = _weights(r, maps, weights).expand_as(r)
    t = _total(maps, total).expand_as(r)
    size = w.sum(-1, keepdim=True)  # |M| in pixels
    order = r.neg().contiguous().sort(-1)  # strongest first
    reached = torch.nn.functional.pad(t.gather(-1, order.indices).cumsum(-1), (1, 0))  # area of the cells before each
    first = torch.searchsorted(order.values, order.values, right=False)  # of the cells as strong as this one
    last = torch.searchsorted(order.values, order.values, right=True)
    before, after = reached.gather(-1, first), reached.gather(-1, last)
    taken = ((size - before) / (after - before)).clamp(0, 1).nan_to_num(0)  # a cell that no pixel reads has no area
    covered = (taken * w.gather(-1, order.indices)).sum(-1) / size[..., 0]
    return _where((r.sum(-1) > 0) & (size[..., 0] > 0), covered)


def mass(maps: Tensor) -> Tensor:
    """Σ(σS)⁺ in logit units, over the cells of the grid.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A)``; NaN where a cell is not finite.
    """
    return evidence(maps).sum(-1)


def empty(maps: Tensor) -> Tensor:
    """Whether no cell speaks for the explained side: Σ(σS)⁺ = 0.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A)``: 1 or 0; NaN where a cell is not finite.
    """
    found = mass(maps)
    return _where(~found.isnan(), (found == 0).to(found.dtype))


def concentration(maps: Tensor) -> Tensor:
    """The strongest quarter of the cells' share of the evidence: 0.25 for an even map, 1 where a quarter has it all.

    Where the number of cells is no multiple of four, the last cell enters by the fraction that fits.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A)`` in [0.25, 1]; NaN for an empty map or one with a cell that is not finite.
    """
    r = evidence(maps)
    quarter = r.shape[-1] * QUARTER
    whole = int(quarter)
    strongest = r.topk(min(whole + 1, r.shape[-1]), -1).values
    share = strongest[..., :whole].sum(-1)
    if quarter > whole:
        share = share + (quarter - whole) * strongest[..., whole]
    everything = r.sum(-1)
    return _where(everything > 0, share / everything)


def evidence(maps: Tensor) -> Tensor:
    """(σS)⁺ with the grid flattened, half precision to float32; what is not finite is NaN.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A, hw)``.

    Raises:
        InputError: The maps are not four-dimensional and floating, or have no cell.
    """
    if maps.ndim != 4 or not maps.is_floating_point() or 0 in maps.shape[2:]:
        raise InputError(f"maps are floating and (B, A, h, w), got {maps.dtype} of shape {tuple(maps.shape)}")
    wide = maps if maps.dtype in (torch.float32, torch.float64) else maps.float()
    return _where(wide.isfinite(), wide.relu()).detach().flatten(2)


def _weights(r: Tensor, maps: Tensor, weights: Tensor) -> Tensor:
    """Region weights ``(1 or B, A, hw)`` in the evidence's dtype."""
    if weights.shape not in (maps.shape, maps.shape[1:]):
        raise InputError(
            f"regions have shape {tuple(weights.shape)}; for maps {tuple(maps.shape)} project() must give "
            f"{tuple(maps.shape)} or {tuple(maps.shape[1:])}"
        )
    return weights.to(r).flatten(-2).expand(-1 if weights.ndim == 4 else 1, -1, -1)


def _total(maps: Tensor, total: Tensor) -> Tensor:
    if total.shape != maps.shape[2:]:
        raise InputError(f"Uᵀ1 has shape {tuple(total.shape)} but the maps' grid is {tuple(maps.shape[2:])}")
    return total.to(device=maps.device, dtype=torch.float64 if maps.dtype == torch.float64 else torch.float32).flatten()


def _where(defined: Tensor, value: Tensor) -> Tensor:
    return torch.where(defined, value, torch.full_like(value, torch.nan))


def _minimum_upsampled(r: Tensor, size: tuple[int, int]) -> Tensor:
    """The minimum of U(σS)⁺ ``(B, A)``, looked for only where a patch of the bilinear surface can have it.

    Interpolated cell by cell, without matrix products, whose rounding may depend on the batch.
    """
    for axis, pixels in ((-2, size[0]), (-1, size[1])):
        low, high, part = (torch.from_numpy(a).to(r.device) for a in _patch_ends(r.shape[axis], pixels))
        shape = (-1, 1) if axis == -2 else (-1,)
        p = part.to(r.dtype).reshape(shape)
        r = r.index_select(axis, low) * (1 - p) + r.index_select(axis, high) * p
    return r.flatten(2).amin(-1)


@lru_cache(maxsize=64)
def _patch_ends(n_in: int, n_out: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The rows of U at which a linear piece begins or ends: the cells below and above, and the weight of the latter."""
    u = matrix(n_in, n_out)
    low = (u > 0).argmax(-1)
    high = np.minimum(low + 1, n_in - 1)
    part = np.where(high > low, u[np.arange(n_out), high], 0.0)
    begins = np.r_[True, low[1:] != low[:-1]]
    kept = begins | np.r_[begins[1:], True]
    return low[kept].copy(), high[kept].copy(), part[kept].copy()
