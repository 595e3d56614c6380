"""Own share: what other attributes' maps of the same image do not explain of a map, beside a head drawn at random."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.metrics.randomization.template import RESOLVED
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Floats

PENALTY = 1e-3
"""Ridge penalty, as a share of the mean variance of the predicting maps."""

NULL_DRAWS = 50
"""Number of random heads."""

CELLS_PER_MAP = 10
"""Fewest independent cells of training images for each predicting map."""

IMAGES_PER_LABEL = 5
"""Fewest training images for each label that is partialled out."""


@dataclass(frozen=True)
class OwnShare:
    """What of each map is its own, of N images and A attributes.

    Attributes:
        unexplained: ``(N, A)``: sum of squares over the cells that the other maps do not explain, in units of the
            attribute's mean sum of squares; NaN for images that are left out.
        variance: ``(N, A)``: the sum of squares itself, in the same unit.
        null: Own share of a row of a random head, mean over rows and draws; NaN where undefined.
        null_range: Its 5 % and 95 % quantiles.
        reason: Why there is none; else empty.
    """

    unexplained: Floats
    variance: Floats
    null: float
    null_range: tuple[float, float]
    reason: str = ""

    @classmethod
    def none(cls, shape: tuple[int, ...], reason: str) -> OwnShare:
        """Make what there is of ``(N, A)`` maps that have no own share, and say why."""
        nan = np.full(shape, np.nan)
        return cls(nan, nan, np.nan, (np.nan, np.nan), reason)

    @property
    def value(self) -> Floats:
        """``(A,)``: own shares; NaN where undefined."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.nansum(self.unexplained, 0) / np.nansum(self.variance, 0))

    @property
    def images(self) -> int:
        """Number of images with values."""
        return int(np.isfinite(self.variance).any(1).sum())


def own_share(
    maps: NDArray[np.floating], people: Clusters, labels: NDArray[np.floating] | None = None, *, seed: int = 0
) -> OwnShare:
    """Compute what ridge regression on the other attributes' maps of the same image leaves unexplained.

    Each map's mean over its cells, and the attribute's mean map, are removed. The regression has one coefficient per
    pair of attributes, the same for all images and cells; it is fitted on one half of the people and judged on the
    other, and the other way round. A map that is a sum of others has an own share of 0, one that has nothing to do
    with them 1.

    The null is a head whose rows are drawn from a normal distribution with the mean and the covariance of the head's
    rows. Maps of a mean-pooled head are linear in its rows, so maps of random rows are the same mixtures of the maps,
    and need no forward pass; of methods that are not linear in the rows, the mixtures stand for them.

    Args:
        maps: ``(N, A, h, w)``, S: evidence for the positive class.
        people: Clusters of the N images.
        labels: ``(N, A)``, 1, 0, or NaN: what labels explain of the maps, cell by cell, is removed first, fitted on the
            other half; of labels that most images have, and of images that have them all. None to leave it in.
        seed: Of the halves and of the random heads.

    Returns:
        The sums of squares of each image and attribute, and the null.

    Example:
        Three maps of which the third is the sum of the others:

        >>> first, second = np.random.default_rng(0).normal(size=(2, 40, 5, 5))
        >>> found = own_share(np.stack([first, second, first + second], 1), Clusters.of([""] * 40))
        >>> found.value.round(4).tolist()
        [0.0, 0.0, 0.0]
        >>> found = own_share(np.stack([first, second], 1), Clusters.of([""] * 40))
        >>> found.value.round(1).tolist()
        [1.0, 1.0]
    """
    images, attributes = maps.shape[:2]
    flat = np.asarray(maps, np.float64).reshape(images, attributes, math.prod(maps.shape[2:]))
    flat = np.where(np.isfinite(flat), flat, np.nan)
    flat = flat - flat.mean(-1, keepdims=True)
    finite = np.isfinite(flat).all(-1)
    used = finite.mean(0) > 0.5 if images else np.zeros(attributes, bool)  # attributes that are seldom defined
    kept = finite[:, used].all(1)
    if labels is not None:
        labels = labels[:, np.isfinite(labels).mean(0) > 0.5] if images else labels
        kept &= np.isfinite(labels).all(1)
    rows = np.flatnonzero(kept)
    halves = _halves(people.codes[rows], seed)
    if reason := _too_few(halves, int(used.sum()), flat.shape[-1], labels):
        return OwnShare.none((images, attributes), reason)
    given = flat[rows][:, used]
    varied = np.square(given - given.mean(0)).sum((0, 2))
    given[:, varied <= RESOLVED**2 * np.square(given).sum((0, 2))] = 0  # nothing but the mean map, and rounding
    predictors = None if labels is None else np.asarray(labels, np.float64)[rows]
    left, whole = np.zeros(given.shape[:2]), np.zeros(given.shape[:2])
    mixtures = _mixtures(int(used.sum()), seed)
    null_left, null_whole = np.zeros(mixtures.shape[:2]), np.zeros(mixtures.shape[:2])
    for train, test in (halves, halves[::-1]):
        learned, judged = _without_known(given, predictors, train, test)
        own = _remainders(_gram(learned))
        rest = np.einsum("ab,nbc->nac", own, judged)
        left[test], whole[test] = np.square(rest).sum(-1), np.square(judged).sum(-1)
        seen, unseen = _gram(learned), _gram(judged)
        for draw, mixed in enumerate(mixtures):
            v = _remainders(mixed @ seen @ mixed.T)
            held_out = mixed @ unseen @ mixed.T
            null_left[draw] += np.einsum("ab,bc,ac->a", v, held_out, v)
            null_whole[draw] += np.diagonal(held_out)
    unit = whole.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        null = (null_left / null_whole)[null_whole > 0]
        shares = np.where(unit > 0, left / unit, np.nan), np.where(unit > 0, whole / unit, np.nan)
    unexplained, variance = (_spread(values, (images, attributes), rows, used) for values in shares)
    if not len(null):
        return OwnShare(unexplained, variance, np.nan, (np.nan, np.nan), "all maps are constant, or the same")
    low, high = np.quantile(null, (0.05, 0.95))
    return OwnShare(unexplained, variance, float(null.mean()), (float(low), float(high)))


def _halves(codes: NDArray[np.integer], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide images into two halves by people, at random."""
    people = np.unique(codes)
    first = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
    inside = np.isin(codes, first)
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def _too_few(
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
    attributes: int,
    cells: int,
    labels: NDArray[np.floating] | None,
) -> str:
    images = min(map(len, halves))
    if attributes < 2:
        return "no second attribute with maps to explain it by"
    if images * (cells - 1) < CELLS_PER_MAP * (attributes - 1):
        return f"{images} images in a half, with {cells} cells, are too few for the maps of {attributes} attributes"
    if labels is not None and not labels.shape[1]:
        return "no label that most images have"
    if labels is not None and images < IMAGES_PER_LABEL * labels.shape[1]:
        return f"{images} images in a half with all labels are too few for {labels.shape[1]} labels"
    return ""


def _without_known(
    maps: Floats, labels: Floats | None, train: NDArray[np.int64], test: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Remove what the training half says of each map without looking: the mean map, or what the labels explain."""
    mean = maps[train].mean(0)
    learned, judged = maps[train] - mean, maps[test] - mean
    if labels is None:
        return learned, judged
    centre = labels[train].mean(0)
    x, y = labels[train] - centre, learned.reshape(len(train), -1)
    coefficients = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)  # a penalty of one image per label
    expected = [(part @ coefficients).reshape(-1, *maps.shape[1:]) for part in (x, labels[test] - centre)]
    return learned - expected[0], judged - expected[1]


def _gram(maps: Floats) -> Floats:
    """Sum the products of two attributes' maps over images and cells, ``(A, A)``."""
    flat = maps.transpose(1, 0, 2).reshape(maps.shape[1], -1)
    return np.asarray(flat @ flat.T)


def _remainders(gram: Floats) -> Floats:
    """Compute the ridge regressions of every map on the others from their sums of products.

    Returns:
        ``(A, A)``: row a has 1 at a and minus the coefficient of each other map, so that its product with the maps is
        what the others do not explain. The inverse of the penalised sums has these rows but for a factor: one inverse
        stands for A regressions.
    """
    scale = np.sqrt(np.diagonal(gram))
    scale = np.where(scale > 0, scale, 1)
    inverse = np.linalg.inv(gram / np.outer(scale, scale) + PENALTY * np.eye(len(gram)))
    rows = inverse / np.diagonal(inverse)[:, None]  # of maps in units of their own size
    return np.asarray(rows * scale[:, None] / scale)


def _mixtures(attributes: int, seed: int) -> Floats:
    """Draw heads ``(draws, A, A)`` as mixtures of the head's rows, with their mean and covariance."""
    random = np.random.default_rng([seed, 1])
    deviations = np.eye(attributes) - 1 / attributes
    weights = random.normal(size=(NULL_DRAWS, attributes, attributes)) / np.sqrt(max(1, attributes - 1))
    return np.asarray(1 / attributes + weights @ deviations)


def _spread(values: Floats, shape: tuple[int, int], rows: NDArray[np.int64], used: NDArray[np.bool_]) -> Floats:
    """Put values of some images and attributes among all."""
    whole = np.full(shape, np.nan)
    whole[np.ix_(rows, np.flatnonzero(used))] = values
    return whole
