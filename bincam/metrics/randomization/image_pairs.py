"""Likeness of two networks' maps of the same image, beside that of maps of images of different people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.metrics.randomization.template import RESOLVED
from bincam.stats.estimate import Floats


@dataclass(frozen=True)
class Pairs:
    """|Spearman| over the cells, between the maps of two networks.

    Attributes:
        same: ``(B, A)``: of the same image. NaN where a map is undefined.
        other: ``(B, A)``: mean over the second network's maps of all images of other people: what the grid and the
            smoothness of the maps give without any relation. NaN where there is none.
    """

    same: Floats
    other: Floats

    @property
    def excess(self) -> Floats:
        """``(B,)``: same less other, mean over the attributes that have both; NaN for an image without any."""
        difference = self.same - self.other
        count = np.isfinite(difference).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.nansum(difference, 1) / count)


def unit_ranks(maps: Floats, least: float = 0.0) -> Floats:
    """Rank the cells of each map, ties at their mean rank, and scale the ranks so that products are Spearman's ρ.

    Args:
        maps: ``(B, A, cells)``.
        least: Maps of at most this length are undefined.

    Returns:
        ``(B, A, cells)``, centred and of unit length; NaN where a map is undefined or constant.

    Example:
        >>> ranks = unit_ranks(np.array([[[1.0, 5.0, 2.0]], [[10.0, 9.0, 8.0]]]))[:, 0]
        >>> float(ranks[0] @ ranks[1])  # Spearman's correlation
        -0.5
    """
    from scipy.stats import rankdata

    finite = np.isfinite(maps).all(-1, keepdims=True)
    length = np.sqrt(np.square(maps).sum(-1, keepdims=True))
    ranks = rankdata(np.where(finite, maps, 0), axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    size = np.sqrt(np.square(ranks).sum(-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(finite & (length > least) & (size > 0), ranks / size, np.nan))


def pairs(first: Floats, second: Floats, people: NDArray[np.integer]) -> Pairs:
    """Compare each map of a network with the other network's maps of the same image and of other people's images.

    Args:
        first: ``(B, A, cells)``: maps of the first network, the template removed.
        second: The same images' maps of the second network, likewise.
        people: ``(B,)``: codes of the images' people.

    Returns:
        The likenesses.

    Example:
        Maps of the second network that are the first's own, in another unit:

        >>> maps = np.random.default_rng(0).normal(size=(20, 1, 25))
        >>> found = pairs(maps, 3 * maps, np.arange(20))
        >>> round(float(found.same.mean()), 2), round(float(found.other.mean()), 2)
        (1.0, 0.15)
    """
    one, two = (unit_ranks(maps, RESOLVED) for maps in (first, second))
    shape = one.shape[:2]
    same, other = np.full(shape, np.nan), np.full(shape, np.nan)
    apart = people[:, None] != people
    for a in range(shape[1]):
        rho = np.abs(one[:, a] @ two[:, a].T)  # (B, B), NaN where either is undefined
        same[:, a] = np.minimum(np.diagonal(rho), 1)
        counted = apart & np.isfinite(rho)
        with np.errstate(invalid="ignore", divide="ignore"):
            other[:, a] = np.where(counted, rho, 0).sum(1) / counted.sum(1)
    return Pairs(same, other)
