"""Estimates of label sets: how often they hold the true label, per class, by size and by slice, and how large they are.

The sets are those of ``bincam.postprocessing``, as booleans. Coverage of average-K sets is average-K accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.proportions import shares, shares_of_totals
from bincam.stats.sets.estimates import complement
from bincam.stats.sets.mean_rates import mean_rate

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SetCoverage:
    """Coverage and size of label sets of a set of K outputs; of a yes-or-no head the outputs are no and yes.

    Attributes:
        coverage: Share of images whose true output is in their set; of average-K sets, average-K accuracy.
        size: Mean number of labels.
        empty: Share of images with an empty set.
        several: Share of images with more than one label; of a yes-or-no head, those that it "cannot say".
            There, ``size - 1`` is ``several`` less ``empty``.
        per_class: Per output, coverage among its images.
        several_per_class: Per output, share of its images with more than one label: whom abstaining concerns.
        few: Mean over the outputs of few samples of their coverage; undefined if there are none.
        others: The same over the others.
        by_size: Number of labels to coverage among images with so many; sizes that occur.
        histogram: ``(K + 1,)``: images by number of labels.
        unknown: Images without a label.
        undefined: Labelled images without a set.
    """

    coverage: Estimate
    size: Estimate
    empty: Estimate
    several: Estimate
    per_class: tuple[Estimate, ...]
    several_per_class: tuple[Estimate, ...]
    few: Estimate
    others: Estimate
    by_size: dict[int, Estimate]
    histogram: NDArray[np.int64]
    unknown: int
    undefined: int


def set_coverage(
    members: Booleans,
    true: ArrayLike,
    few: ArrayLike,
    clusters: Clusters,
    *,
    defined: Booleans | None = None,
    level: float = LEVEL,
) -> SetCoverage:
    """Estimate coverage and size of label sets, with intervals that account for clusters.

    Shares have Wilson's interval of the effective number of images, means over outputs that of ``mean_rate``, and the
    mean size that of ``group_means``, between 0 and K. Images with unknown labels or without a set count nowhere.

    Args:
        members: ``(N, K)``: True where an output is in the image's set.
        true: ``(N,)`` indices of the true outputs, -1 where unknown.
        few: ``(K,)``: True for the outputs of few samples, such as ``rarer_than_even`` of the training images.
        clusters: Clusters of the N images.
        defined: ``(N,)``: False for images without a set; None if all have one.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or an index is no output.

    Example:
        A head that decides everything, right for all of the majority and half of the minority:

        >>> from bincam.stats import Clusters
        >>> true = np.repeat([0, 1], [90, 10])
        >>> members = np.eye(2, dtype=bool)[np.r_[np.zeros(95, int), np.ones(5, int)]]
        >>> result = set_coverage(members, true, [False, True], Clusters.of([""] * 100))
        >>> result.coverage.value, result.size.value, [share.value for share in result.per_class]
        (0.95, 1.0, [1.0, 0.5])
        >>> result.few.value, round(result.few.low, 2), result.few.status
        (0.5, 0.24, 'small')
    """
    held, y, usable = _checked(members, true, defined, clusters)
    K = held.shape[1]
    rare = _marks(few, (K,), "outputs of few samples")
    is_in = _covered(held, y, usable)
    sizes = held.sum(1)
    more = np.where(usable, sizes > 1, np.nan)
    occurring = np.unique(sizes[usable]).tolist()
    missed = 1 - is_in
    return SetCoverage(
        coverage=shares(is_in, usable, clusters, level).estimate(),
        size=_mean(np.where(usable, sizes, np.nan), K, clusters, level),
        empty=shares(np.where(usable, sizes == 0, np.nan), usable, clusters, level).estimate(),
        several=shares(more, usable, clusters, level).estimate(),
        per_class=tuple(_each(is_in, np.where(usable, y, -1), range(K), clusters, level)),
        several_per_class=tuple(_each(more, np.where(usable, y, -1), range(K), clusters, level)),
        few=complement(mean_rate(missed, y, np.flatnonzero(rare).tolist(), clusters, level)),
        others=complement(mean_rate(missed, y, np.flatnonzero(~rare).tolist(), clusters, level)),
        by_size=dict(zip(occurring, _each(is_in, sizes, occurring, clusters, level), strict=True)),
        histogram=np.bincount(sizes[usable], minlength=K + 1).astype(np.int64),
        unknown=int((y < 0).sum()),
        undefined=int(((y >= 0) & ~usable).sum()),
    )


def coverage_by_slice(
    members: Booleans,
    true: ArrayLike,
    slices: Mapping[str, Booleans],
    clusters: Clusters,
    *,
    defined: Booleans | None = None,
    level: float = LEVEL,
) -> dict[str, tuple[Estimate, Estimate]]:
    """Estimate coverage and mean size in slices of the images.

    Args:
        members: ``(N, K)``, as for ``set_coverage``.
        true: ``(N,)``.
        slices: Name to ``(N,)``: True for its images; slices may overlap.
        clusters: Clusters of the N images.
        defined: ``(N,)``, as for ``set_coverage``.
        level: Confidence level.

    Returns:
        Name to coverage and mean size; undefined where a slice has no labelled image.

    Raises:
        InputError: Shapes differ, or an index is no output.

    Example:
        >>> from bincam.stats import Clusters
        >>> members, true = np.eye(2, dtype=bool)[[0, 0, 1, 1]], [0, 1, 1, 1]
        >>> old = np.array([False, True, True, False])
        >>> found = coverage_by_slice(members, true, {"old": old, "young": ~old}, Clusters.of([""] * 4))
        >>> {name: (coverage.value, size.value) for name, (coverage, size) in found.items()}
        {'old': (0.5, 1.0), 'young': (1.0, 1.0)}
    """
    held, y, usable = _checked(members, true, defined, clusters)
    is_in, sizes = _covered(held, y, usable), np.where(usable, held.sum(1), np.nan)
    result = {}
    for name, inside in slices.items():
        chosen = _marks(inside, y.shape, f"slice {name!r}")
        coverage = shares(is_in, usable & chosen, clusters, level).estimate()
        result[name] = coverage, _mean(np.where(chosen, sizes, np.nan), held.shape[1], clusters, level)
    return result


@dataclass(frozen=True, eq=False)
class AttributeCoverage:
    """Recall and size of label sets of A attributes, of which an image may have several or none.

    Attributes:
        recall: Per attribute, share of its positive images whose set has it.
        false_alarms: Per attribute, share of its negative images whose set has it.
        false_negative_rate: Mean over images with a true label of the share of their true labels that is missed.
        size: Mean number of labels, over all images with a set.
        without_true: Images with known labels and no true one; they are not in the false negative rate.
        undefined: Images with a known label, but without a set.
    """

    recall: tuple[Estimate, ...]
    false_alarms: tuple[Estimate, ...]
    false_negative_rate: Estimate
    size: Estimate
    without_true: int
    undefined: int


def attribute_coverage(
    members: Booleans,
    labels: ArrayLike,
    clusters: Clusters,
    *,
    defined: Booleans | None = None,
    level: float = LEVEL,
) -> AttributeCoverage:
    """Estimate recall and size of label sets of attributes, with intervals as in ``set_coverage``.

    Args:
        members: ``(N, A)``.
        labels: ``(N, A)``: 1, 0 or NaN.
        clusters: Clusters of the N images.
        defined: ``(N,)``: False for images without a set; None if all have one.
        level: Confidence level.

    Raises:
        InputError: Shapes differ.

    Example:
        >>> from bincam.stats import Clusters
        >>> members, labels = np.array([[1, 1], [1, 0], [0, 0]], bool), [[1, 0], [1, 1], [0, 0]]
        >>> result = attribute_coverage(members, labels, Clusters.of([""] * 3))
        >>> [rate.value for rate in result.recall], result.false_negative_rate.value, result.without_true
        ([1.0, 0.0], 0.25, 1)
    """
    y = np.asarray(labels)
    y = y if y.dtype.kind == "f" else y.astype(np.float64)
    if y.ndim != 2:
        raise InputError(f"expected labels (N, A), got shape {y.shape}")
    held = _marks(members, y.shape, "sets")
    has_set = np.ones(len(y), bool) if defined is None else _marks(defined, (len(y),), "defined sets")
    _check_clusters(clusters, len(y))
    known = ~np.isnan(y) & has_set[:, None]
    A = y.shape[1]
    columns = (np.ascontiguousarray(values.T) for values in (held, y == 1, known))  # attribute by attribute
    rates = [
        _recall_and_alarms(has, is_true, is_known, clusters, level)
        for has, is_true, is_known in zip(*columns, strict=True)
    ]
    positives = (known & (y == 1)).sum(1)
    with np.errstate(invalid="ignore"):
        missed = (known & (y == 1) & ~held).sum(1) / positives
    return AttributeCoverage(
        recall=tuple(recall for recall, _ in rates),
        false_alarms=tuple(alarms for _, alarms in rates),
        false_negative_rate=_mean(missed, 1, clusters, level),
        size=_mean(np.where(has_set, held.sum(1), np.nan), A, clusters, level),
        without_true=int((known.any(1) & (positives == 0)).sum()),
        undefined=int((~np.isnan(y).all(1) & ~has_set).sum()),
    )


def _recall_and_alarms(
    held: Booleans, true: Booleans, known: Booleans, clusters: Clusters, level: float
) -> tuple[Estimate, Estimate]:
    """Estimate how often the sets of positive and of negative images have an attribute, from counts per cluster."""
    cell, count = (2 * true.astype(np.int64) + held)[known], clusters.count
    table = np.bincount(cell * count + clusters.codes[known], minlength=4 * count).reshape(2, 2, count).astype(float)
    hits, sizes = table[::-1, 1], table[::-1].sum(1)  # (2, K): of positive images, of negative ones
    rates = shares_of_totals(hits.T, sizes.T, known=clusters.known, level=level)
    return rates.estimate(0), rates.estimate(1)


def _checked(
    members: Booleans, true: ArrayLike, defined: Booleans | None, clusters: Clusters
) -> tuple[Booleans, NDArray[np.int64], Booleans]:
    y = np.asarray(true)
    if np.ndim(members) != 2 or y.shape != (len(members),) or y.dtype.kind not in "iu":
        raise InputError(
            f"expected sets (N, K) and whole indices (N,) of the true outputs, got shapes {np.shape(members)} and "
            f"{y.shape} of {y.dtype}; bincam.one_of.true_outputs makes indices of labels (N, K)"
        )
    held = _marks(members, np.shape(members), "sets")
    _check_clusters(clusters, len(y))
    wrong = np.flatnonzero((y < -1) | (y >= held.shape[1]))
    if len(wrong):
        raise InputError(f"true output of image {wrong[0]} is {y[wrong[0]]}; expected -1 to {held.shape[1] - 1}")
    usable = y >= 0
    if defined is not None:
        usable &= _marks(defined, y.shape, "defined sets")
    return held, y.astype(np.int64), usable


def _marks(values: ArrayLike, shape: tuple[int, ...], what: str) -> Booleans:
    """Read True and False; numbers are refused, because scores or indices would pass for marks."""
    marks = np.asarray(values)
    if marks.shape != shape or marks.dtype != bool:
        raise InputError(f"{what}: expected True or False of shape {shape}, got {marks.dtype} of shape {marks.shape}")
    return marks


def _check_clusters(clusters: Clusters, images: int) -> None:
    if len(clusters.codes) != images:
        raise InputError(f"clusters of {len(clusters.codes)} images for sets of {images}; expected one for each")


def _covered(held: Booleans, y: NDArray[np.int64], usable: Booleans) -> NDArray[np.float64]:
    return np.where(usable, held[np.arange(len(y)), np.maximum(y, 0)], np.nan)


def _each(
    values: NDArray[np.float64], group: NDArray[np.int64], groups: Sequence[int], clusters: Clusters, level: float
) -> list[Estimate]:
    """Estimate the share of ones in disjoint groups, one after the other: a thousand classes need no table of them."""
    order = np.argsort(group, kind="stable")
    first, last = (np.searchsorted(group[order], np.asarray(groups), side=side) for side in ("left", "right"))
    result = []
    for start, stop in zip(first, last, strict=True):
        rows = order[start:stop]
        result.append(shares(values[rows], np.ones(len(rows), bool), clusters.among(rows), level).estimate())
    return result


def _mean(values: NDArray[np.floating], most: int, clusters: Clusters, level: float) -> Estimate:
    """Estimate a mean of values between 0 and ``most``."""
    return overall_means(values[:, None], clusters, (0.0, float(most)), level).estimate(0, 0)
