"""The template of an attribute's maps: the mean map, which is the same whatever the image.

A network draws a template whatever it has learned: the border differs from the centre because of padding, and
photographs have their object in the middle. Two maps that share no more than this are alike. So the mean map is
removed before maps are compared, and the share of their variance that is left says whether they depend on the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.stats.estimate import Floats

CONSTANT = 1e-5
"""A map whose cells differ by less than this share of its greatest cell is constant: float32 rounds to 1e-7."""

RESOLVED = 1e-3
"""What is left of a map of unit length is rounding if it is shorter than this."""


def unit_maps(maps: NDArray[np.floating]) -> Floats:
    """Scale maps to unit length, the mean over their cells removed: what is left is where the evidence is.

    Args:
        maps: ``(B, A, h, w)`` or ``(B, A, cells)``.

    Returns:
        ``(B, A, cells)`` float64; NaN for a map that is constant or has a cell that is not finite.

    Raises:
        InputError: The array has another number of dimensions.

    Example:
        >>> unit_maps(np.array([[[1.0, 1.0, 2.5, 3.5]], [[7.0, 7.0, 7.0, 7.0]]])).round(2).tolist()
        [[[-0.47, -0.47, 0.24, 0.71]], [[nan, nan, nan, nan]]]
    """
    if maps.ndim not in (3, 4):
        raise InputError(f"maps of shape {maps.shape}; expected (images, attributes, height, width)")
    flat = np.asarray(maps, np.float64).reshape(*maps.shape[:2], -1)
    flat = np.where(np.isfinite(flat).all(-1, keepdims=True), flat, np.nan)
    centred = flat - flat.mean(-1, keepdims=True)
    length = np.sqrt(np.square(centred).sum(-1, keepdims=True))
    least = CONSTANT * np.abs(flat).max(-1, keepdims=True, initial=0) * np.sqrt(flat.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(length > least, centred / length, np.nan))


def without_template(maps: Floats, sides: NDArray[np.integer] | None = None) -> Floats:
    """Remove from each map the mean of the other images' maps of the same attribute.

    Args:
        maps: ``(B, A, cells)``, NaN for undefined maps, which enter no mean.
        sides: ``(B, A)``: maps of different values have means of their own, because evidence against an attribute is
            drawn with the other sign. None for one mean per attribute.

    Returns:
        ``(B, A, cells)``; NaN where a map is undefined, or is the only one of its attribute and side.

    Example:
        >>> without_template(np.array([[[1.0, -1.0]], [[1.0, -1.0]], [[0.0, 0.0]]])).tolist()
        [[[0.5, -0.5]], [[0.5, -0.5]], [[-1.0, 1.0]]]
    """
    result = np.full_like(maps, np.nan)
    groups = _groups(maps, sides)
    defined = np.isfinite(maps).all(-1)
    for value in np.unique(groups[defined]):
        member = defined & (groups == value)  # (B, A)
        count = member.sum(0)
        total = np.where(member[..., None], maps, 0).sum(0)  # (A, cells)
        with np.errstate(invalid="ignore", divide="ignore"):
            # m - (sum - m) / (n - 1), the map less the mean of the others
            rest = (count[:, None] * maps - total) / (count - 1)[:, None]
        result = np.where((member & (count > 1))[..., None], rest, result)
    return result


def variance_left(maps: Floats, sides: NDArray[np.integer] | None = None) -> Floats:
    """Share of each map's variance over the cells that its attribute's mean map does not hold.

    Args:
        maps: ``(B, A, cells)``, of ``unit_maps``.
        sides: See ``without_template``.

    Returns:
        ``(B, A)``: 1 in the mean for maps that have nothing in common, 0 for maps that are all the same; a single
        value may exceed 1. NaN where the map, or the mean, is undefined. The means are of a sample, so the variance is
        counted with n - 1 in place of n, as a sample's is.

    Example:
        >>> same = unit_maps(np.array([[[1.0, 2.0, 4.0]], [[3.0, 6.0, 12.0]]]))  # one map at two scales
        >>> variance_left(same).round(6).tolist()
        [[0.0], [0.0]]
    """
    rest = np.square(without_template(maps, sides)).sum(-1)  # n² / (n - 1)² times the variance about the mean
    groups = _groups(maps, sides)
    defined = np.isfinite(maps).all(-1)
    for value in np.unique(groups[defined]):
        member = defined & (groups == value)
        count = member.sum(0)
        rest = np.where(member, rest * (count - 1) / np.maximum(count, 1), rest)
    return np.asarray(rest)


def templates(maps: Floats, sides: NDArray[np.integer] | None = None) -> Floats:
    """Compute the mean map of each attribute, for either side.

    Args:
        maps: ``(B, A, cells)``, NaN for undefined maps.
        sides: See ``without_template``.

    Returns:
        ``(sides, A, cells)``; NaN where there is no map.

    Example:
        >>> templates(np.array([[[1.0, -1.0]], [[0.0, 0.0]]])).tolist()
        [[[0.5, -0.5]]]
    """
    groups = _groups(maps, sides)
    defined = np.isfinite(maps).all(-1)
    means = []
    for value in np.unique(groups):
        member = defined & (groups == value)
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(np.where(member[..., None], maps, 0).sum(0) / member.sum(0)[:, None])
    return np.stack(means)


def _groups(maps: Floats, sides: NDArray[np.integer] | None) -> NDArray[np.integer]:
    return np.zeros(maps.shape[:2], np.int64) if sides is None else np.asarray(sides)
