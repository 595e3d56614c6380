"""Seeing rare classes more often, as an alternative to weighing them more.

An image has one label per attribute, so drawing it for one of them draws all its others along: no re-sampling of whole
images can balance many correlated attributes at once. What it does to each is told by ``rates``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError, nearest

Rows = NDArray[np.int64]
Shares = NDArray[np.float64]


def class_aware(labels: ArrayLike) -> Shares:
    """Draw an attribute, then one of its classes, then one of that class's images, each alike likely.

    The class-aware sampling of Shen et al., ECCV 2016, arXiv 1512.05830, with the two classes of every attribute as the
    classes. With one attribute its classes are equally frequent.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.

    Returns:
        ``(N,)``: the share of draws that each image gets; they sum to 1.
    """
    return np.asarray(_per_class(labels).mean(1))


def rarest_label(labels: ArrayLike, power: float = 1.0) -> Shares:
    """Draw an image in proportion to the inverse frequency of its rarest label.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        power: Of the inverse frequency: 0 draws all alike, 1/2 by its square root.

    Returns:
        As ``class_aware``.
    """
    if not np.isfinite(power) or power < 0:
        raise InputError(f"power={power}: not negative")
    weights = _per_class(labels).max(1) ** power
    return np.asarray(weights / weights.sum())


RESAMPLINGS: Mapping[str, Callable[..., Shares]] = {"class_aware": class_aware, "rarest_label": rarest_label}


def resampled(labels: ArrayLike, name: str, seed: int, **options: Any) -> Callable[[int], Rows]:
    """Which rows an epoch sees, in order: N draws with replacement.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        name: One of ``RESAMPLINGS``.
        seed: With the epoch it decides the draws.
        options: Keyword arguments of the re-sampling.

    Returns:
        Epoch to ``(N,)`` rows.

    Raises:
        InputError: An unknown name or option, an option that is no number or out of bounds, or an attribute without
            positives or negatives.
    """
    if name not in RESAMPLINGS:
        raise InputError(f"unknown resampling {name!r}{nearest(name, RESAMPLINGS)}")
    known = [key for key in inspect.signature(RESAMPLINGS[name]).parameters if key != "labels"]
    for key, given in options.items():
        if key not in known:
            raise InputError(f"resampling {name}: unknown option {key!r}{nearest(key, known)}")
        if not isinstance(given, (int, float)) or isinstance(given, bool):
            raise InputError(f"option {key!r} of resampling {name}: expected a number, got {given!r}")
    shares = RESAMPLINGS[name](labels, **options)
    return lambda epoch: np.random.default_rng([seed, epoch]).choice(len(shares), len(shares), p=shares)


def rates(labels: ArrayLike, shares: ArrayLike) -> Shares:
    """``(A,)``: the share of positives among the known labels that draws with these shares see."""
    y, p = np.asarray(labels, np.float64), np.asarray(shares, np.float64)[:, None]
    return np.asarray((p * np.nan_to_num(y)).sum(0) / (p * ~np.isnan(y)).sum(0))


def _per_class(labels: ArrayLike) -> Shares:
    """``(N, A)``: each image's share of the draws of its class; both classes' are equal, unknown labels get 1/N."""
    y = np.asarray(labels, np.float64)
    if y.ndim != 2 or not len(y):
        raise InputError(f"expected labels (N, A) of at least one image, got {y.shape}")
    counts = np.stack([(y == 0).sum(0), (y == 1).sum(0)])  # (2, A)
    if (counts == 0).any():
        value, attribute = (int(i[0]) for i in np.nonzero(counts == 0))
        raise InputError(f"attribute {attribute} has no {('negatives', 'positives')[value]}, so they cannot be drawn")
    by_class = np.where(y == 1, 0.5 / counts[1], 0.5 / counts[0])
    unknown = np.isnan(y)
    known_share = 1 - unknown.mean(0)  # unknown labels keep the share of the draws that they have
    return np.where(unknown, 1 / len(y), by_class * known_share)
