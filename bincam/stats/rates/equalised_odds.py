"""Differences of a classifier's rates between groups: equalised odds and demographic parity, and what chance gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.display import counted
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, is_small, undefined
from bincam.stats.hypotheses.hypothesis_tests import Test
from bincam.stats.proportions import RESAMPLES, Shares, shares

METHOD = "variance recovery, largest of all pairs"
TEST = "permutation of groups"
BLOCK = 4_000_000
"""Number of permuted labels at once, which limits the memory."""


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups.

    Attributes:
        rate: ``tpr``, ``fpr`` or ``positive``: the share of positive predictions among positives, negatives or all.
        highest: The group with the highest rate.
        lowest: The group with the lowest rate.
        value: Their difference.
    """

    rate: str
    highest: str
    lowest: str
    value: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return {"rate": self.rate, "highest": self.highest, "lowest": self.lowest, "value": self.value}


@dataclass(frozen=True)
class GroupDifference:
    """The largest difference between groups over one rate or several, and its distribution without a difference.

    Attributes:
        measure: ``equalised_odds_difference`` or ``demographic_parity_difference``.
        estimate: The estimate; images and clusters are those of the compared groups.
        gaps: The largest gap of each rate; the value is the largest of them. Empty where undefined.
        null: Mean of the measure where predictions do not depend on the group, with groups of these sizes: what chance
            gives. NaN where undefined.
        null_high: The quantile of that distribution which is exceeded with probability 1 - level.
        p: Share of that distribution that is at least the value.
        compared: The groups that are compared.
        left_out: The others, as ``{"group": ..., "reason": ...}``.
        reason: Why it is undefined; empty otherwise.
    """

    measure: str
    estimate: Estimate
    gaps: tuple[Gap, ...]
    null: float
    null_high: float
    p: float
    compared: tuple[str, ...]
    left_out: tuple[dict[str, str], ...]
    reason: str

    def test(self) -> Test:
        """Return the test of no difference."""
        e = self.estimate
        return Test(e.value, e.value, self.p, e.images, e.identities, TEST)

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the estimate and the others as one JSON object, None for NaN."""
        figures = {"null": self.null, "null_high": self.null_high, "p": self.p}
        return {
            "measure": self.measure,
            **self.estimate.to_json(),
            **{name: value if math.isfinite(value) else None for name, value in figures.items()},
            "gaps": [gap.to_json() for gap in self.gaps],
            "compared": list(self.compared),
            "left_out": [dict(entry) for entry in self.left_out],
            "reason": self.reason,
            "too_few": bool(self.reason),
        }


def equalised_odds_difference(
    predicted: NDArray[np.floating],
    labels: NDArray[np.floating],
    codes: NDArray[np.integer],
    groups: Sequence[str],
    clusters: Clusters,
    *,
    level: float = LEVEL,
    permutations: int = RESAMPLES,
    seed: int = 0,
) -> GroupDifference:
    """Estimate the equalised-odds difference: the largest gap between groups of the TPR or the FPR.

    The value is that of fairlearn's ``equalized_odds_difference`` over the compared groups. It is the largest of many
    differences, so it exceeds the true one on average, and is positive where groups do not differ at all: ``null`` is
    its mean there, from permutations of the groups over people (over images, if none are known) within each class.
    They are conservative where a person has images in several groups.

    The interval holds whatever the number of groups: its upper end is the largest upper end of all pairs' gaps (one of
    which is the true largest), its lower end the largest lower end of intervals that hold for all pairs at once
    (Bonferroni). Each pair's interval is MOVER over both rates' Wilson intervals (Newcombe 1998), with the effective
    numbers of images, as if the groups were independent.

    Args:
        predicted: ``(N,)``: 1 for a positive prediction, 0 for a negative one, NaN where there is none.
        labels: ``(N,)``: 1, 0, NaN.
        codes: ``(N,)``: index of the image's group; negative where it is unknown.
        groups: Names of the groups.
        clusters: Clusters of the N images.
        level: Confidence level.
        permutations: Number of permutations.
        seed: Seed of the permutations.

    Returns:
        The difference. Groups of which a class is small (see ``estimate``) are left out and listed; with fewer than two
        groups it is undefined.

    Example:
        Of the positives, 90 % are recognised among women and 70 % among men; false alarms are equal:

        >>> from bincam.stats import Clusters
        >>> labels, codes = np.repeat([1.0, 0.0, 1.0, 0.0], 100), np.repeat([0, 1], 200)
        >>> predicted = np.repeat([1.0, 0.0] * 4, [90, 10, 5, 95, 70, 30, 5, 95])
        >>> difference = equalised_odds_difference(predicted, labels, codes, ("women", "men"), Clusters.of([""] * 400))
        >>> [round(x, 2) for x in (difference.estimate.value, difference.estimate.low, difference.estimate.high)]
        [0.2, 0.07, 0.31]
        >>> round(difference.null, 2), round(difference.p, 3), difference.gaps[0].highest
        (0.05, 0.001, 'women')
    """
    known = np.isfinite(predicted) & np.isfinite(labels)
    rates = (("tpr", known & (labels > 0)), ("fpr", known & ~(labels > 0)))
    return _difference(
        "equalised_odds_difference", predicted, rates, codes, groups, clusters, level, permutations, seed
    )


def demographic_parity_difference(
    predicted: NDArray[np.floating],
    codes: NDArray[np.integer],
    groups: Sequence[str],
    clusters: Clusters,
    *,
    level: float = LEVEL,
    permutations: int = RESAMPLES,
    seed: int = 0,
) -> GroupDifference:
    """Estimate the demographic-parity difference: the largest gap between groups of the share of positive predictions.

    It needs no labels, and is large where the groups differ in truth: it is no error of the classifier by itself. The
    value is that of fairlearn's ``demographic_parity_difference``; arguments and result are those of
    ``equalised_odds_difference``.

    Example:
        >>> from bincam.stats import Clusters
        >>> predicted, codes = np.repeat([1.0, 0.0] * 2, [30, 70, 50, 50]), np.repeat([0, 1], 100)
        >>> difference = demographic_parity_difference(predicted, codes, ("women", "men"), Clusters.of([""] * 200))
        >>> round(difference.estimate.value, 2), difference.gaps[0].highest
        (0.2, 'men')
    """
    rates = (("positive", np.isfinite(predicted)),)
    return _difference(
        "demographic_parity_difference", predicted, rates, codes, groups, clusters, level, permutations, seed
    )


_CLASSES = {"tpr": "positives", "fpr": "negatives", "positive": "images"}


def _difference(
    measure: str,
    predicted: NDArray[np.floating],
    rates: Sequence[tuple[str, NDArray[np.bool_]]],
    codes: NDArray[np.integer],
    groups: Sequence[str],
    clusters: Clusters,
    level: float,
    permutations: int,
    seed: int,
) -> GroupDifference:
    within = codes[:, None] == np.arange(len(groups))  # (N, V)
    hits = np.broadcast_to(np.where(np.isfinite(predicted), predicted, 0.0)[:, None], within.shape)

    def cells(chosen: Sequence[int], level: float) -> dict[str, Shares]:
        at = list(chosen)
        return {rate: shares(hits[:, at], member[:, None] & within[:, at], clusters, level) for rate, member in rates}

    def total(chosen: Sequence[int]) -> tuple[int, int | None]:
        used = np.logical_or.reduce([member for _, member in rates]) & within[:, list(chosen)].any(1)
        people = clusters.identities(used)
        return int(used.sum()), None if people is None else int(people)

    def null(chosen: Sequence[int]) -> Floats:
        return _permuted(predicted, rates, codes, chosen, clusters, permutations, seed)

    return difference_of_cells(measure, groups, cells, total, null, level)


def difference_of_cells(
    measure: str,
    groups: Sequence[str],
    cells: Callable[[Sequence[int], float], dict[str, Shares]],
    total: Callable[[Sequence[int]], tuple[int, int | None]],
    null: Callable[[Sequence[int]], Floats],
    level: float = LEVEL,
) -> GroupDifference:
    """Estimate the largest gap between groups from the shares of positive predictions in each.

    Args:
        measure: ``equalised_odds_difference`` or ``demographic_parity_difference``.
        groups: Names of the groups.
        cells: Function of groups, by position, and a level: the shares of each rate, ``(groups,)``.
        total: Function of groups: number of their images and people.
        null: Function of groups: draws of the largest gap without a difference.
        level: Confidence level.
    """
    every = cells(range(len(groups)), level)
    left_out: dict[int, str] = {}
    for rate, cell in every.items():
        for v in np.flatnonzero(is_small(cell.images, cell.identities)):
            of_people = "" if cell.identities is None else f" of {counted(int(cell.identities[v]), 'person', 'people')}"
            left_out.setdefault(int(v), f"too few {_CLASSES[rate]}: {int(cell.images[v]):,}{of_people}")
    sound = [v for v in range(len(groups)) if v not in left_out]
    compared = tuple(groups[v] for v in sound)
    listed = tuple({"group": groups[v], "reason": reason} for v, reason in sorted(left_out.items()))
    counted_total = total(sound)
    if len(sound) < 2:
        which = "one group has" if sound else "no group has"
        reason = f"only {which}" if sound else which
        what = " and ".join(_CLASSES[rate] for rate in every)
        return GroupDifference(
            measure, undefined(METHOD, *counted_total), (), math.nan, math.nan, math.nan, compared, listed,
            f"{reason} enough {what} to compare",
        )  # fmt: skip
    gaps = tuple(_gap(rate, cell.value[sound], compared) for rate, cell in every.items())
    value = max(gap.value for gap in gaps)
    # Each pair counts once for each rate, because at most one direction of it has a lower end above 0 in truth.
    pairs = len(every) * len(sound) * (len(sound) - 1) // 2
    at_once = cells(sound, 1 - (1 - level) / pairs)
    low = max(_ends(cell, list(range(len(sound))))[0] for cell in at_once.values())
    high = max(_ends(cell, sound)[1] for cell in every.values())
    drawn = null(sound)
    p = float((1 + np.sum(drawn >= value - 1e-9)) / (1 + len(drawn)))
    result = Estimate(value, min(max(low, 0.0), value), min(high, 1.0), *counted_total, "ok", METHOD)
    return GroupDifference(
        measure, result, gaps, float(drawn.mean()), float(np.quantile(drawn, level)), p, compared, listed, ""
    )


def gaps_without_difference(
    ones: Floats, sizes: Floats, permutations: int, rng: np.random.Generator, *, independent: bool
) -> Floats:
    """Draw the largest gap of a rate between groups without a difference, of very many blocks.

    A block consists of a cluster's images in one group. The permutation of groups over blocks, which small audits
    carry out, has the normal distribution as its limit: with r = ones - rate·size of every block, the rate of a group
    of m blocks has the variance Σr²/(B - 1)/m/(mean size)², and what all groups share cancels in a gap.

    Args:
        ones: ``(K, V)``: number of positive predictions of a cluster in a group.
        sizes: ``(K, V)``: number of images.
        permutations: Number of draws.
        rng: Source of chance.
        independent: True if clusters are groups of independent images, which are then the blocks.

    Returns:
        ``(permutations,)``.

    >>> sizes = np.full((500, 2), 2.0)
    >>> ones = np.random.default_rng(0).binomial(2, 0.3, (500, 2)).astype(float)
    >>> gaps = gaps_without_difference(ones, sizes, 2000, np.random.default_rng(0), independent=False)
    >>> round(float(gaps.mean()), 3)
    0.017
    """
    images = sizes.sum(0)
    if independent:
        drawn = rng.multivariate_hypergeometric(
            images.astype(np.int64), int(ones.sum()), permutations, method="marginals"
        )
        rates = drawn / images
    else:
        here = sizes > 0
        residual = (ones - ones.sum() / sizes.sum() * sizes)[here]
        blocks, size = here.sum(0), float(sizes.sum()) / int(here.sum())
        variance = float((residual**2).sum()) / max(len(residual) - 1, 1) / blocks / size**2
        rates = rng.normal(0.0, np.sqrt(variance), (permutations, len(blocks)))
    return np.asarray(rates.max(1) - rates.min(1))


def _gap(rate: str, values: Floats, names: Sequence[str]) -> Gap:
    highest, lowest = int(values.argmax()), int(values.argmin())
    return Gap(rate, names[highest], names[lowest], float(values[highest] - values[lowest]))


def _ends(cell: Shares, chosen: Sequence[int]) -> tuple[float, float]:
    """Return the largest lower and the largest upper end of the differences of all ordered pairs of groups."""
    value, low, high = (np.asarray(ends)[list(chosen)] for ends in (cell.value, cell.low, cell.high))
    difference = value[:, None] - value
    lower = difference - np.hypot((value - low)[:, None], high - value)
    upper = difference + np.hypot((high - value)[:, None], value - low)
    other = ~np.eye(len(value), dtype=bool)
    return float(lower[other].max()), float(upper[other].max())


def _permuted(
    predicted: NDArray[np.floating],
    rates: Sequence[tuple[str, NDArray[np.bool_]]],
    codes: NDArray[np.integer],
    sound: Sequence[int],
    clusters: Clusters,
    permutations: int,
    seed: int,
) -> Floats:
    """Compute the largest gap over all rates, ``(permutations,)``, with the groups permuted within each class.

    What is permuted are the groups of blocks, each of which consists of a person's images of one class in one group.
    """
    rng = np.random.default_rng(seed)
    renumbered = np.full(int(codes.max()) + 2, -1)
    renumbered[list(sound)] = np.arange(len(sound))
    group = renumbered[codes]  # -1, for unknown groups, is the last entry
    largest = np.zeros(permutations)
    for _, member in rates:
        here = np.flatnonzero(member & (group >= 0))
        V = len(sound)
        block, place = np.unique(clusters.codes[here] * V + group[here], return_inverse=True)
        sizes = np.bincount(place).astype(float)
        ones = np.bincount(place, predicted[here]).astype(float)
        value = _permuted_rates(ones, sizes, block % V, V, permutations, rng)
        largest = np.maximum(largest, value.max(1) - value.min(1))
    return largest


def _permuted_rates(
    ones: Floats, sizes: Floats, group: NDArray[np.integer], V: int, permutations: int, rng: np.random.Generator
) -> Floats:
    """Compute the rates of V groups, ``(permutations, V)``, with the groups of blocks ``(B,)`` permuted."""
    members = np.bincount(group, minlength=V)
    if sizes.max() == 1:  # single images: their numbers of ones are drawn at once
        drawn = rng.multivariate_hypergeometric(members, int(ones.sum()), permutations)
        return np.asarray(drawn / members)
    result = np.empty((permutations, V))
    width = max(1, BLOCK // len(group))
    blocks = np.stack([ones, sizes], 1).astype(np.float32)
    for start in range(0, permutations, width):
        stop = min(start + width, permutations)
        order = rng.permuted(np.broadcast_to(group.astype(np.int16), (stop - start, len(group))), axis=1)
        for v in range(V):
            sums = (order == v).astype(np.float32) @ blocks
            result[start:stop, v] = sums[:, 0] / sums[:, 1]
    return result
