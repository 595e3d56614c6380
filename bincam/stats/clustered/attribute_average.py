"""Means over attributes, which share images and people: one interval from what each person contributes to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import Spread
from bincam.stats.clustered.means import GroupMeans, mean_estimate, mean_interval, name
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.intervals import effective_number, wilson


class AttributeAverage:
    """Accumulates the means over attributes of G groups and C measures.

    Every attribute has the same weight. What a cluster contributes to the mean's error is the mean of what it
    contributes to the attributes', so attributes that fail on the same people do not count as independent evidence.

    - Measures have the interval of ``group_means``.
    - Proportions have Wilson's interval of the effective number of images that their variance corresponds to, as a
      single proportion has (``effective_number``): at least the effective number of clusters, which is right if all
      attributes are the same. So no error in any attribute leaves room for one.
    - With a single attribute the estimate is that attribute's.

    Args:
        groups: G.
        measures: C.
        clusters: K.
        proportions: ``(C,)``: True for measures that are 0 or 1 in every image.
        bounds: Least and greatest possible value of the measures, ``(C,)`` each.
        known: True if clusters are people.

    Example:
        Two attributes with the same ten errors in 100 images are as uncertain as one of them:

        >>> from bincam.stats import Clusters
        >>> from bincam.stats.clustered.means import group_means
        >>> clusters, one = Clusters.of([""] * 100), (np.zeros(100, int), np.ones((1, 1)))
        >>> means = group_means(np.repeat([1.0, 0.0], [10, 90])[:, None], *one, clusters)
        >>> own = estimate(0.1, *wilson(0.1, 100), 100, None, "wilson")
        >>> average = AttributeAverage(1, 1, 100, np.array([True]), (np.zeros(1), np.ones(1)), known=False)
        >>> for _ in range(2):
        ...     average.add(means, [[own]])
        >>> overall = average.estimate(0, 0)
        >>> [round(x, 2) for x in (own.low, own.high, overall.low, overall.high)], overall.images
        ([0.06, 0.17, 0.06, 0.17], 100)
    """

    def __init__(
        self,
        groups: int,
        measures: int,
        clusters: int,
        proportions: NDArray[np.bool_],
        bounds: tuple[NDArray[np.floating], NDArray[np.floating]],
        *,
        known: bool,
    ) -> None:
        shape = (groups, measures)
        self.proportions, self.bounds, self.known = proportions, bounds, known
        self.value, self.simple = np.zeros(shape), np.zeros(shape)
        self.count, self.small, self.images, self.clusters = (np.zeros(shape, np.int64) for _ in range(4))
        self.effective = np.full(shape, np.inf)
        self.contributions = np.zeros((groups, clusters, measures), np.float32)
        self.last: dict[tuple[int, int], Estimate] = {}

    def add(self, means: GroupMeans, estimates: Sequence[Sequence[Estimate]]) -> None:
        """Add an attribute; an undefined mean is left out.

        Args:
            means: Its means.
            estimates: Its estimates by group and measure, which are the result if it is the only attribute.
        """
        defined = np.isfinite(means.value)
        self.count += defined
        self.value += np.where(defined, means.value, 0)
        self.images = np.maximum(self.images, means.images)
        self.clusters = np.maximum(self.clusters, means.clusters)
        self.effective = np.fmin(self.effective, means.effective)
        self.small += defined & np.array([[one.status == "small" for one in row] for row in estimates])
        with np.errstate(invalid="ignore", divide="ignore"):
            of_images = means.value * (1 - means.value) / np.maximum(means.images - 1, 1)
        self.simple += np.where(defined, of_images, 0)
        self.contributions += means.contributions
        for g, c in np.argwhere(defined & (self.count == 1)):
            self.last[int(g), int(c)] = estimates[g][c]

    def estimate(self, group: int, measure: int, level: float = LEVEL) -> Estimate:
        """Estimate the mean over the attributes that are defined.

        ``images`` and ``identities`` are those of the attribute that has most. A mean is ``small`` where one of its
        attributes is, because all have the same weight.
        """
        at = (group, measure)
        count, people = int(self.count[at]), int(self.clusters[at])
        identities = people if self.known else None
        method = f"{name(self.known)}, mean over attributes"
        if self.proportions[measure]:
            method = "wilson, mean over attributes"
        if not count:
            return undefined(method, int(self.images[at]), identities)
        if count == 1:
            return self.last[at]
        value = np.asarray(self.value[at] / count)
        spread = Spread.of(self.contributions[group, :, measure].astype(float) / count, people)
        images = int(self.images[at])
        if self.proportions[measure]:
            share = np.clip(value, 0, 1)
            simple = self.simple[at] / count**2
            deciding = spread.freedom if people > 1 else np.nan
            about = images, people, self.effective[at], level
            ends = wilson(share, effective_number(share, spread.error**2, simple, deciding, *about), level)
            mean = estimate(float(value), float(ends[0]), float(ends[1]), images, identities, method)
        else:
            bounds = self.bounds[0][measure], self.bounds[1][measure]
            counted = np.asarray(people)
            low, high = mean_interval(value, spread, counted, np.asarray(self.effective[at]), bounds, level)
            mean = mean_estimate(float(value), float(low), float(high), images, identities, self.known, method)
        return replace(mean, status="small") if self.small[at] else mean
