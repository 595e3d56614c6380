"""Seeing rare classes more often, as an alternative to weighing them more.

An image has one label per attribute, so drawing it for one of them draws all its others along: no re-sampling of whole
images can balance many correlated attributes at once. What it does to each is told by ``rates``.

With one attribute an image's share of the draws depends on its class alone, which moves the log-odds that a network
learns from log(η / (1 - η)) by the same amount for every image: ``shift``. With several it depends on all labels of the
image, and there is no such constant.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError, nearest
from bincam.train.losses.base import AttributeLoss

Rows = NDArray[np.int64]
Shares = NDArray[np.float64]


def class_aware(labels: ArrayLike) -> Shares:
    """Draw an attribute, then one of its classes, then one of that class's images, each alike likely.

    The class-aware sampling of Shen et al., ECCV 2016, arXiv 1512.05830, with the two classes of every attribute as the
    classes. With one attribute its classes are equally frequent, and the optimal logit moves by log(n- / n+), n± the
    numbers of images; with several by no constant.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.

    Returns:
        ``(N,)``: the share of draws that each image gets; they sum to 1.
    """
    return np.asarray(_per_class(labels).mean(1))


def rarest_label(labels: ArrayLike, power: float = 1.0) -> Shares:
    """Draw an image in proportion to the inverse frequency of its rarest label; our own, from no paper.

    With one attribute its positives are drawn (n- / n+)^(power - 1) times as often as its negatives, n± the numbers of
    images, and the optimal logit moves by power log(n- / n+); with several by no constant.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        power: Of the inverse frequency: 0 draws all alike, 1/2 by its square root.

    Returns:
        As ``class_aware``.

    Raises:
        InputError: A power that is negative, or so large that some images' share is 0.
    """
    if not np.isfinite(power) or power < 0:
        raise InputError(f"power={power}: not negative")
    rarity = _per_class(labels).max(1)
    weights = (rarity / rarity.max()) ** power  # at most 1, so that no power is too large for a float
    shares = np.asarray(weights / weights.sum())
    if not shares.all():
        raise InputError(f"power={power}: images whose labels are all frequent would never be drawn; give a lower one")
    return shares


RESAMPLINGS: Mapping[str, Callable[..., Shares]] = {"class_aware": class_aware, "rarest_label": rarest_label}


def make_shares(labels: ArrayLike, name: str, **options: Any) -> Shares:
    """The share of draws that each image gets, ``(N,)``.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        name: One of ``RESAMPLINGS``.
        options: Keyword arguments of the re-sampling.

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
    return RESAMPLINGS[name](labels, **options)


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
        InputError: As ``make_shares``.
    """
    shares = make_shares(labels, name, **options)
    return lambda epoch: np.random.default_rng([seed, epoch]).choice(len(shares), len(shares), p=shares)


def rates(labels: ArrayLike, shares: ArrayLike) -> Shares:
    """``(A,)``: the share of positives among the known labels that draws with these shares see."""
    y, p = np.asarray(labels, np.float64), np.asarray(shares, np.float64)[:, None]
    return np.asarray((p * np.nan_to_num(y)).sum(0) / (p * ~np.isnan(y)).sum(0))


def shift(labels: ArrayLike, shares: ArrayLike) -> float | None:
    """By how much draws with these shares move the log-odds that are learned: logit(rate drawn) - logit(rate there).

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        shares: ``(N,)``, as a re-sampling gives them.

    Returns:
        None for several attributes: an image's share then depends on its other labels, so the images of a class are
        not drawn alike, and no constant tells what becomes of their log-odds. None where a class is never drawn.
    """
    y = np.asarray(labels, np.float64)
    if y.shape[1] > 1:
        return None
    drawn, there = float(rates(y, shares)[0]), float(rates(y, np.full(len(y), 1 / len(y)))[0])
    if not (0 < drawn < 1 and 0 < there < 1):
        return None
    return math.log(drawn / (1 - drawn)) - math.log(there / (1 - there))


def weighs_classes(loss: AttributeLoss) -> bool:
    """Whether a loss treats the two classes unlike: a positive at z does not cost what a negative does at -z."""
    z = torch.linspace(-2, 2, 5)[:, None].expand(-1, len(loss.attributes))  # (5, A)
    return not torch.allclose(loss.terms(z, torch.ones_like(z)), loss.terms(-z, torch.zeros_like(z)))


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
