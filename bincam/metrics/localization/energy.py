"""Energy: the share of a map's evidence within a region, measured on the map's own grid.

All functions take σS ``(B, A, h, w)``, evidence for the explained side, and measure (σS)⁺. A region M is
passed as Uᵀ1_M (``bincam.resample.project``), so that ⟨(σS)⁺, Uᵀ1_M⟩ is the sum of the upsampled map over the region
without upsampling it. The ReLU precedes the upsampling.

Maps in half precision are measured in float32, others in their own precision. Every image is measured on its own: the
result has the same bits in any batch. Undefined measures are NaN, never 0; maps with a NaN or infinite cell are
undefined. A map resolves nothing finer than a cell of its grid, so chance-corrected energy needs a region with at least
one cell's area inside and one outside.
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

QUARTER = 0.25  # share of the cells that ``concentration`` counts
ROUNDING = 1e-3  # cells by which an area may fall short of one, because weights are rounded
CONSTANT = 8  # a map whose cells differ by at most this many units in the last place is constant


@dataclass(frozen=True)
class RegionMeasures:
    """Measures of the evidence within a region, each ``(B, A)``.

    Attributes:
        energy: E = ⟨(σS)⁺, Uᵀ1_M⟩ / ⟨(σS)⁺, Uᵀ1⟩ in [0, 1]; NaN for a map without positive evidence, and for an empty
            or missing region.
        lift: E / f, with f the region's area share: 1 for uniform evidence, at most the number of cells however small
            the region is; NaN where E is NaN.
        gain: Chance-corrected energy (E - f) / (1 - f): 0 for uniform evidence, 1 if all of it is inside, negative if
            the region has less than its share, at least -f / (1 - f). NaN where E is NaN, and where less than the area
            of one cell of the grid is inside or outside of the region. Outside, the denominator is smaller than what
            the map resolves (a region of all but one pixel gives a gain of -48 at an energy of 0.999); inside, not
            even a map of that one cell reaches 1, so a gain close to 0 would not be chance.
        area: f.

    Example:
        >>> import torch
        >>> from bincam.metrics import region_measures
        >>> maps, left = torch.tensor([[[[3.0, 1.0]]]]), torch.tensor([[[1.0, 0.0]]])
        >>> measures = region_measures(maps, left, total=torch.ones(1, 2))
        >>> measures.energy.item(), measures.lift.item(), measures.gain.item()
        (0.75, 1.5, 0.5)
    """

    energy: Tensor
    lift: Tensor
    gain: Tensor
    area: Tensor


def region_measures(maps: Tensor, weights: Tensor, total: Tensor, area: Tensor | None = None) -> RegionMeasures:
    """Measure the energy within a region at image resolution, and correct it for the region's size.

    Energy is the proportional energy of Wang et al. 2020 (Score-CAM, arXiv 1910.01279), the "energy-based pointing
    game". Deviation: the map is rectified, but neither shifted nor scaled, so that cells without evidence count
    nothing; ``published_energy`` follows the convention with a shift.

    Args:
        maps: ``(B, A, h, w)``, σS.
        weights: Uᵀ1_M, ``(B, A, h, w)``, or ``(A, h, w)`` for regions that all images share; NaN where there is no
            region.
        total: Uᵀ1, ``(h, w)``.
        area: f, ``(B, A)`` or ``(A,)``; None computes it as ΣUᵀ1_M / ΣUᵀ1, which is exact because each row of U sums
            to 1.

    Returns:
        The measures.

    Raises:
        InputError: Shapes do not match.

    Example:
        A map of 2 x 2 cells, and a region that is the left half of an image of 8 x 8 pixels:

        >>> import numpy as np, torch
        >>> from bincam.metrics import region_measures
        >>> from bincam.resample import project
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[:, :4] = True
        >>> weights, total = (torch.from_numpy(project(m[None], (2, 2))) for m in (mask, np.ones_like(mask)))
        >>> maps = torch.tensor([[[[3.0, 0.0], [1.0, -2.0]]]])
        >>> measures = region_measures(maps, weights, total[0])
        >>> round(measures.energy.item(), 3), measures.area.item(), round(measures.gain.item(), 3)
        (0.875, 0.5, 0.75)
    """
    r = evidence(maps)  # (B, A, hw)
    w, t = _weights(r, maps, weights), _total(maps, total)
    share = area_share(weights, total) if area is None else area
    f = share.to(r).expand(r.shape[:2])
    everywhere, inside = (r * t).sum(-1), (r * w).sum(-1)
    energy = _where((everywhere > 0) & (f > 0), inside / everywhere)
    corrected = _where(resolved(weights, total, area).expand_as(f), (energy - f) / (1 - f))
    return RegionMeasures(energy, energy / f, corrected, f)


def resolved(weights: Tensor, total: Tensor, area: Tensor | None = None) -> Tensor:
    """Find regions with at least the area of one cell inside and one outside; of others the gain is undefined.

    Args:
        weights: Uᵀ1_M, ``(..., h, w)``.
        total: Uᵀ1, ``(h, w)``.
        area: f, ``(...)``, where it is known more precisely than from the weights.

    Returns:
        ``(...)``, bool; False where there is no region.

    Example:
        >>> import torch
        >>> from bincam.metrics.localization.energy import resolved
        >>> total = torch.full((2, 2), 4.0)  # an image of 16 pixels
        >>> cell, pixel, rest = torch.tensor([[4.0, 0], [0, 0]]), torch.tensor([[1.0, 0], [0, 0]]), total.clone()
        >>> rest[0, 0] = 3
        >>> resolved(torch.stack([cell, pixel, rest]), total).tolist()
        [True, False, False]
    """
    cells = weights.shape[-2] * weights.shape[-1]
    share = area_share(weights.double(), total) if area is None else area.to(weights.device, torch.float64)
    return torch.minimum(share, 1 - share) * cells >= 1 - ROUNDING


def area_share(weights: Tensor, total: Tensor) -> Tensor:
    """Compute the area shares f of regions from their weights.

    Args:
        weights: Uᵀ1_M, ``(..., h, w)``.
        total: Uᵀ1, ``(h, w)``.

    Returns:
        ``(...)`` in [0, 1]; NaN where there is no region.

    Example:
        >>> import torch
        >>> from bincam.metrics import area_share
        >>> area_share(torch.tensor([[[4.0, 0.0]], [[4.0, 2.0]]]), torch.tensor([[4.0, 4.0]])).tolist()
        [0.5, 0.75]
    """
    return weights.sum((-2, -1)) / total.to(weights).sum()


def published_energy(maps: Tensor, weights: Tensor, total: Tensor, size: tuple[int, int]) -> Tensor:
    """Measure energy by the source paper's convention: after min-max scaling of the rectified, upsampled map.

    Zhang, Bieri and Günther 2024, arXiv 2403.14435, "proportional energy", whose maps come from pytorch-grad-cam:
    rectified, upsampled, and scaled to [0, 1] by their own minimum and maximum. The scale cancels in the ratio, so only
    the minimum m of the upsampled map is required: E = ⟨(σS)⁺ - m, Uᵀ1_M⟩ / ⟨(σS)⁺ - m, Uᵀ1⟩, because U preserves
    constants. U is bilinear between neighbouring cell centres, so m is attained at the first or last pixel row and
    column of such a patch and is found exactly among at most 4 (h + 1) (w + 1) pixels. The only deviation is rounding.

    Args:
        maps: ``(B, A, h, w)``, σS.
        weights: Uᵀ1_M, ``(B, A, h, w)`` or ``(A, h, w)``; NaN where there is no region.
        total: Uᵀ1, ``(h, w)``.
        size: ``(H, W)`` of the image.

    Returns:
        ``(B, A)``: 0 for a map that is without positive evidence, or constant up to rounding (the scale would stretch
        rounding errors); NaN where the map is not finite or the region is empty or missing.

    Raises:
        InputError: Shapes do not match.

    Example:
        >>> import torch
        >>> from bincam.metrics import published_energy
        >>> maps = torch.tensor([[[[3.0, 1.0]]]])
        >>> weights, total = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[1.0, 1.0]])
        >>> published_energy(maps, weights, total, size=(1, 2)).item()  # the smaller cell is shifted to 0
        1.0
    """
    r = evidence(maps)
    w, t = _weights(r, maps, weights), _total(maps, total)
    shifted = r - _minimum_upsampled(r.reshape(maps.shape), size)[..., None]
    flat = r.amax(-1) - r.amin(-1) <= CONSTANT * torch.finfo(r.dtype).eps * r.amax(-1)
    inside, everywhere = (shifted * w).sum(-1), (shifted * t).sum(-1)
    energy = torch.where(flat, torch.zeros_like(inside), inside / everywhere)
    return _where(~r.sum(-1).isnan() & (w.sum(-1) > 0), energy)


def relevance_rank(maps: Tensor, weights: Tensor, total: Tensor) -> Tensor:
    """Measure relevance rank accuracy: the share of the region covered by the strongest cells of the same total area.

    Arras, Osman and Samek 2022, arXiv 2003.07258, with cells in place of pixels: cells are selected in order of
    decreasing evidence until their area Uᵀ1 reaches |M|, and the share of M that they cover is returned. Deviations:
    the last cell counts by the fraction that fits, and cells of equal evidence (also those without evidence) share that
    fraction equally, which is the mean over all their orders. A region whose border divides cells cannot reach 1.

    Args:
        maps: ``(B, A, h, w)``, σS.
        weights: Uᵀ1_M, ``(B, A, h, w)`` or ``(A, h, w)``; NaN where there is no region.
        total: Uᵀ1, ``(h, w)``.

    Returns:
        ``(B, A)`` in [0, 1]; NaN for a map without positive evidence, and for an empty or missing region. Its
        expectation under chance is f.

    Raises:
        InputError: Shapes do not match.

    Example:
        >>> import torch
        >>> from bincam.metrics import relevance_rank
        >>> maps, weights = torch.tensor([[[[3.0, 1.0, 0.0, 0.0]]]]), torch.tensor([[[1.0, 0.0, 1.0, 0.0]]])
        >>> relevance_rank(maps, weights, torch.ones(1, 4)).item()  # one of the two strongest cells is in the region
        0.5
    """
    r = evidence(maps)
    w = _weights(r, maps, weights).expand_as(r)
    t = _total(maps, total).expand_as(r)
    size = w.sum(-1, keepdim=True)  # |M| in pixels
    order = r.neg().contiguous().sort(-1)  # strongest first
    reached = torch.nn.functional.pad(
        t.gather(-1, order.indices).cumsum(-1), (1, 0)
    )  # area of the cells before each one
    first = torch.searchsorted(order.values, order.values, right=False)  # of the cells with the same evidence
    last = torch.searchsorted(order.values, order.values, right=True)
    before, after = reached.gather(-1, first), reached.gather(-1, last)
    # A cell that no pixel reads has no area, which makes this 0/0.
    selected = ((size - before) / (after - before)).clamp(0, 1).nan_to_num(0)
    covered = (selected * w.gather(-1, order.indices)).sum(-1) / size[..., 0]
    return _where((r.sum(-1) > 0) & (size[..., 0] > 0), covered)


def mass(maps: Tensor) -> Tensor:
    """Sum the positive evidence Σ(σS)⁺ over the cells of the grid, in the unit of the maps.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A)``; NaN where a cell is not finite.

    Example:
        >>> import torch
        >>> from bincam.metrics import mass
        >>> mass(torch.tensor([[[[3.0, -1.0]], [[0.0, -1.0]]]])).tolist()
        [[3.0, 0.0]]
    """
    return evidence(maps).sum(-1)


def empty(maps: Tensor) -> Tensor:
    """Find maps without positive evidence, Σ(σS)⁺ = 0.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A)``: 1 or 0; NaN where a cell is not finite.

    Example:
        >>> import torch
        >>> from bincam.metrics import empty
        >>> empty(torch.tensor([[[[3.0, -1.0]], [[0.0, -1.0]]]])).tolist()
        [[0.0, 1.0]]
    """
    evidence_mass = mass(maps)
    return _where(~evidence_mass.isnan(), (evidence_mass == 0).to(evidence_mass.dtype))


def concentration(maps: Tensor) -> Tensor:
    """Measure the share of the evidence in the strongest quarter of the cells: 0.25 for a uniform map, at most 1.

    If the number of cells is not a multiple of four, the last cell counts by the fraction that fits.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        ``(B, A)`` in [0.25, 1]; NaN for a map without positive evidence or with a cell that is not finite.

    Example:
        >>> import torch
        >>> from bincam.metrics import concentration
        >>> concentration(torch.tensor([[[[3.0, 1.0], [0.0, 0.0]]]])).item()
        0.75
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
    """Compute (σS)⁺ with a flattened grid; half precision becomes float32, and cells that are not finite become NaN.

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
    """Check region weights, and convert them to ``(1 or B, A, hw)`` in the evidence's dtype."""
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
    """Compute the minimum of U(σS)⁺ ``(B, A)`` from the pixels where a patch of the bilinear surface can attain it.

    The interpolation avoids matrix products, because their rounding may depend on the batch.
    """
    for axis, pixels in ((-2, size[0]), (-1, size[1])):
        low, high, part = (torch.from_numpy(a).to(r.device) for a in _patch_ends(r.shape[axis], pixels))
        shape = (-1, 1) if axis == -2 else (-1,)
        p = part.to(r.dtype).reshape(shape)
        r = r.index_select(axis, low) * (1 - p) + r.index_select(axis, high) * p
    return r.flatten(2).amin(-1)


@lru_cache(maxsize=64)
def _patch_ends(n_in: int, n_out: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find the rows of U at which a linear piece begins or ends: the lower and upper cells, and the upper's weight."""
    u = matrix(n_in, n_out)
    low = (u > 0).argmax(-1)
    high = np.minimum(low + 1, n_in - 1)
    part = np.where(high > low, u[np.arange(n_out), high], 0.0)
    begins = np.r_[True, low[1:] != low[:-1]]
    kept = begins | np.r_[begins[1:], True]
    return low[kept].copy(), high[kept].copy(), part[kept].copy()
