"""Change of the largest gap between groups from one answer to another on the same images, such as two models'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.formatting import counted
from bincam.stats.hypotheses.hypothesis_tests import Test, difference_test
from bincam.stats.intervals import MOVER, gap
from bincam.stats.proportions import shares

ROUNDING = 1e-12


@dataclass(frozen=True)
class GapChange:
    """The largest gaps of two answers between V groups, and their difference.

    Attributes:
        gaps: The largest absolute difference between two groups, of the first and of the second answer; NaN for fewer
            than two groups.
        between: The groups that it is between, by position, the greater error first; None for fewer than two.
        difference: Second less first gap.
        test: Of no difference: that the errors change by the same in every group.
    """

    gaps: tuple[float, float]
    between: tuple[tuple[int, int] | None, tuple[int, int] | None]
    difference: Estimate
    test: Test


def gap_change(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    groups: NDArray[np.integer],
    clusters: Clusters,
    level: float = LEVEL,
) -> GapChange:
    """Estimate by how much the largest gap between groups differs between two answers of the same images.

    With the errors' differences between two groups d_1 and d_2 of the two answers, the gaps are |d_1| and |d_2|. The
    paired change d_2 - d_1, in which what both answers have in common cancels, has an interval of its own. The three
    intervals (MOVER, correlated as the people who have images in both groups make them) hold at once (Bonferroni over
    the three and over all pairs of groups), and the interval of |d_2| - |d_1| is all that they leave possible together.
    Of more than two groups the difference of the largest gaps is at least the least of those pairs that may have the
    first's largest gap, and at most the greatest of those that may have the second's. So no sign and no pair that was
    chosen on the same images costs coverage; the interval is conservative. *Ours*.

    The test is that of no paired change in any pair (``difference_test``): it also finds a gap that turned round.

    There is no interval where one of the groups has none: of one person.

    Args:
        first: ``(N,)``: 1 where the first answer is wrong, 0 where it is right, NaN where an image is not counted.
        second: The same of the second answer; images where either is NaN are left out.
        groups: ``(N,)``: 0 ... V-1, groups of enough images and people; negative is left out.
        clusters: Clusters of the N images.
        level: Confidence level.

    Example:
        The second answer halves the errors of the first group, and leaves those of the second:

        >>> groups = np.repeat([0, 1], 200)
        >>> first = np.concatenate([np.arange(200) < 80, np.arange(200) < 20]).astype(float)
        >>> second = np.concatenate([np.arange(200) < 40, np.arange(200) < 20]).astype(float)
        >>> change = gap_change(first, second, groups, Clusters.of([""] * 400))
        >>> [round(gap, 2) for gap in change.gaps], change.between
        ([0.3, 0.1], ((0, 1), (0, 1)))
        >>> round(change.difference.value, 2), change.difference.high < -0.1, change.test.p < 0.001
        (-0.2, True, True)
    """
    both = np.isfinite(first) & np.isfinite(second) & (groups >= 0)
    one, other = (np.where(both, values, np.nan) for values in (first, second))
    group = np.where(both, groups, -1)
    test = difference_test(other - one, group, clusters)
    present = np.unique(group[both])
    people = clusters.identities(both)
    counts = int(both.sum()), None if people is None else int(people)
    if len(present) < 2:
        return GapChange((np.nan, np.nan), (None, None), undefined(MOVER, *counts), test)
    pairs = list(combinations(range(len(present)), 2))
    of_each = 1 - (1 - level) / (3 * len(pairs))
    member = group[:, None] == present
    rates = [
        [found.estimate(v) for v in range(len(present))]
        for found in (
            shares(np.broadcast_to(x[:, None], member.shape), member, clusters, of_each) for x in (one, other)
        )
    ]
    changes = [
        paired_shares(np.where(inside, other, np.nan), np.where(inside, one, np.nan), clusters, of_each)
        for inside in member.T
    ]
    of_people = None  # images without people are in one group each, so that no two groups correlate
    if clusters.known:
        codes = np.where(both, np.searchsorted(present, group), -1)
        values = np.stack([one, other, other - one], -1)
        of_people = group_means(values, codes, np.eye(len(present)), clusters).contributions

    def apart(parts: Sequence[Estimate], column: int, most: float) -> list[Estimate]:
        """Differences of all pairs of groups, which are at most ``most``."""
        result = []
        for v, w in pairs:
            joint = 0.0 if of_people is None else correlation(*of_people[[v, w], :, column])
            one = gap(parts[v], parts[w], correlation=joint, identities=None)
            result.append(replace(one, low=max(one.low, -most), high=min(one.high, most)))
        return result

    before, after = apart(rates[0], 0, 1.0), apart(rates[1], 1, 1.0)
    change = apart(changes, 2, 2.0)  # of two gaps, which may point to opposite groups
    largest = [max(range(len(pairs)), key=lambda p: abs(of[p].value)) for of in (before, after)]
    low = high = np.nan  # where people are too few for an interval of a group
    if all(np.isfinite(part.low) and np.isfinite(part.high) for part in (*before, *after, *change)):
        ends = [_ends(*three) for three in zip(before, after, change, strict=True)]
        low = min(ends[p][0] for p in _may_be_largest(before))
        high = max(ends[p][1] for p in _may_be_largest(after))
    widest = before[largest[0]].value, after[largest[1]].value
    gaps = abs(widest[0]), abs(widest[1])
    method = f"{MOVER}, bounds" + (f", all of {counted(len(pairs), 'pair')} at once" if len(pairs) > 1 else "")

    def named(pair: tuple[int, int], size: float) -> tuple[int, int]:
        v, w = (int(present[place]) for place in pair)
        return (v, w) if size >= 0 else (w, v)

    return GapChange(
        gaps,
        (named(pairs[largest[0]], widest[0]), named(pairs[largest[1]], widest[1])),
        estimate(gaps[1] - gaps[0], low, high, *counts, method),
        test,
    )


def _ends(before: Estimate, after: Estimate, change: Estimate) -> tuple[float, float]:
    """The least and the greatest |y| - |x| of x, y and y - x in three intervals.

    It is linear between the corners of what these leave, divided where x or y is 0.
    """
    lines = [
        *((1.0, 0.0, x) for x in (before.low, before.high, 0.0)),
        *((0.0, 1.0, y) for y in (after.low, after.high, 0.0)),
        *((-1.0, 1.0, d) for d in (change.low, change.high)),
    ]
    corners = [(before.value, after.value)]
    for (a, b, c), (d, e, f) in combinations(lines, 2):
        if determinant := a * e - b * d:
            corners.append(((c * e - b * f) / determinant, (a * f - c * d) / determinant))
    inside = [
        abs(y) - abs(x)
        for x, y in corners
        if all(
            interval.low - ROUNDING <= value <= interval.high + ROUNDING
            for interval, value in ((before, x), (after, y), (change, y - x))
        )
    ]
    return min(inside), max(inside)


def _may_be_largest(differences: Sequence[Estimate]) -> list[int]:
    """The pairs whose absolute difference may be the largest, as far as their intervals tell."""
    least = max(max(one.low, -one.high, 0.0) for one in differences)
    return [place for place, one in enumerate(differences) if max(one.high, -one.low) >= least]
