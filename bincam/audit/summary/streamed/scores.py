"""Scores of a long audit: their numbers by bin, then what each cluster contributes to figures of ranking and fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.stated import Stated
from bincam.audit.summary.streamed import kernels
from bincam.audit.summary.streamed.clusters import StreamedClusters
from bincam.audit.summary.streamed.records import Part
from bincam.stats.calibration import probability
from bincam.stats.estimate import LEVEL, Estimate, Floats
from bincam.stats.proportions import shares_of_totals
from bincam.stats.rates.operating_point import (
    Curve,
    Inside,
    OperatingPoint,
    Rate,
    rate_on_curve,
    residual_correlation_of_totals,
)
from bincam.stats.recalibration import Recalibration, unsolvable
from bincam.stats.totals.ranking import binned_contributions, in_units, ranking_of_totals
from bincam.stats.totals.recalibration import BinnedFit, recalibration_of_totals
from bincam.stats.totals.score_bins import BINS, bin_scores, score_bins

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest

PLACED_BITS = 40
"""Contributions to a ranking are added as whole numbers, of which the greatest is 2 to this power."""

REGRESSION = 2.0**32
"""Units per 1 of sums of a regression."""

SURE = "probabilities are 0 or 1, whose log-odds are infinite"


@dataclass(frozen=True)
class Scores:
    """Numbers of scores by bin and class, and of images by cell.

    Attributes:
        clusters: The clusters.
        cells: ``(K, A, 6)``.
        histogram: ``(A, 2, BINS)``: of negatives and of positives.
        ends: ``(A, 3, 2)``: least and greatest logit of negatives, positives and all.
        nan: ``(A,)``: images without a finite logit.
    """

    clusters: StreamedClusters
    cells: NDArray[np.int32]
    histogram: NDArray[np.int64]
    ends: Floats
    nan: NDArray[np.int64]

    @classmethod
    def empty(cls, clusters: StreamedClusters, attributes: int) -> Scores:
        """Make numbers to add to."""
        ends = np.empty((attributes, 3, 2))
        ends[..., 0], ends[..., 1] = np.inf, -np.inf
        return cls(
            clusters,
            np.zeros((clusters.count, attributes, 6), np.int32),
            np.zeros((attributes, 2, BINS), np.int64),
            ends,
            np.zeros(attributes, np.int64),
        )

    def add(self, part: Part, cells: NDArray[np.int8]) -> None:
        """Add the images of a shard."""
        kernels.add_scores(part.codes, cells, score_bins(part.logit), part.logit, self.cells, self.histogram, self.ends)
        self.nan[:] += (cells < 0).sum(0)

    def sizes(self, a: int) -> Floats:
        """``(K, 2)``: number of negatives and positives of attribute ``a``, with a finite logit."""
        cells = self.cells[:, a].astype(float)
        return np.stack([cells[:, 1] + cells[:, 3], cells[:, 0] + cells[:, 2]], 1)

    def curve(self, a: int, measure: Rate) -> Curve:
        """Return the curve of attribute ``a`` that a rate is estimated on."""
        negatives, positives = self.histogram[a]
        used = np.flatnonzero(negatives + positives)
        values = bin_scores()[used]
        if measure == "sensitivity":
            return Curve.of_counts(values, positives[used], negatives[used])
        return Curve.of_counts(-values[::-1], negatives[used][::-1], positives[used][::-1])


class Placements:
    """What clusters contribute to AUROC, average precision and rates at stated ones."""

    def __init__(self, scores: Scores, stated: Stated) -> None:
        """Prepare the second scan.

        Args:
            scores: Of the first scan.
            stated: Rates at which the other rate is estimated.
        """
        K, A = scores.cells.shape[:2]
        self.scores = scores
        self.points: list[tuple[Rate, float]] = [
            *(("sensitivity", rate) for rate in stated.specificity),
            *(("specificity", rate) for rate in stated.sensitivity),
        ]
        tables, units, cuts = [], [], []
        for a in range(A):
            table, unit = in_units(binned_contributions(*scores.histogram[a]), PLACED_BITS)
            tables.append(table)
            units.append(unit)
            cuts.append([self._cut(a, *point) for point in self.points])
        self._tables, self._units = np.stack(tables), np.stack(units)
        self._cuts = np.array(cuts, np.int32).reshape(A, len(self.points))
        self._placed = np.zeros((K, A, 2, 2), np.int64)
        self._inside = np.zeros((K, A, len(self.points), 2), np.int32)

    def _cut(self, a: int, measure: Rate, rate: float) -> int:
        """The lowest bin of attribute ``a`` that is inside a threshold; that of no image where there is none."""
        curve = self.scores.curve(a, measure)
        cut = curve.cut(rate)
        if cut < 1:
            return BINS
        if measure == "sensitivity":
            return int(score_bins(curve.values[cut - 1]))
        return int(score_bins(-curve.values[cut - 1])) + 1  # scores up to it are inside: those above are counted

    def add(self, part: Part, cells: NDArray[np.int8]) -> None:
        """Add the images of a shard."""
        bins = score_bins(part.logit)
        kernels.add_placements(part.codes, cells, bins, self._tables, self._cuts, self._placed, self._inside)

    def ranking(self, a: int, level: float = LEVEL) -> tuple[Estimate, Estimate]:
        """Estimate AUROC and average precision of attribute ``a``."""
        contributions = self._placed[:, a] * self._units[a][:, None]
        negatives, positives = self.scores.histogram[a]
        known = self.scores.clusters.known
        return ranking_of_totals((negatives, positives), contributions, self.scores.sizes(a), known=known, level=level)

    def rates(self, a: int, level: float = LEVEL) -> list[OperatingPoint]:
        """Estimate the rates of attribute ``a`` at those that are stated."""
        sizes, known = self.scores.sizes(a), self.scores.clusters.known
        people = [int((sizes[:, y] > 0).sum()) for y in (0, 1)]
        result = []
        for place, (measure, stated) in enumerate(self.points):
            own = 1 if measure == "sensitivity" else 0
            above = self._inside[:, a, place].astype(float)
            hits = above if own else sizes - above

            def inside(_: float, hits: Floats = hits, own: int = own) -> Inside:
                share = [
                    shares_of_totals(hits[:, [y]], sizes[:, [y]], known=known, level=level) for y in (own, 1 - own)
                ]
                both = [(hits[:, y], sizes[:, y]) for y in (own, 1 - own)]
                single = [one.at(0) for one in share]
                return Inside(single[0], single[1], residual_correlation_of_totals(both[0], both[1], known=known))

            counted = (people[own], people[1 - own]) if known else None
            result.append(rate_on_curve(measure, stated, self.scores.curve(a, measure), counted, inside, level))
        return result


class Regression:
    """Sums of logistic regressions of the labels on log-odds."""

    def __init__(self, scores: Scores, head: str) -> None:
        """Fit the bins of the first scan, and prepare the second.

        Args:
            scores: Of the first scan.
            head: What a logit means: that of the model's card, or ``logits`` for the logits themselves.
        """
        K, A = scores.cells.shape[:2]
        self.scores, self.head = scores, head
        self._fits = [self._fit(a) for a in range(A)]
        self._places = np.array([[fit.centre, fit.scale, *fit.beta] for fit in self._fits])
        self._sums = np.zeros((K, A, 7), np.int64)

    def _odds(self, logit: NDArray[np.floating]) -> Floats:
        """The log-odds, any shape; infinite for a margin head's probabilities of 0 and 1."""
        if self.head != "margin":
            return np.asarray(logit, float)
        p = probability(logit, self.head)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(p) - np.log1p(-p))

    def _fit(self, a: int) -> BinnedFit:
        negatives, positives = self.scores.histogram[a]
        counts = int(negatives.sum()), int(positives.sum())
        of_negatives, of_positives = (self._odds(self.scores.ends[a, y]).tolist() for y in (0, 1))
        odds = self._odds(bin_scores())
        sure = (negatives + positives > 0) & ~np.isfinite(odds)
        if sure.any():
            return BinnedFit(reason=f"{int((negatives + positives)[sure].sum()):,} of {sum(counts):,} {SURE}")
        if reason := unsolvable(*counts, tuple(of_negatives), tuple(of_positives)):
            return BinnedFit(reason=reason)
        return BinnedFit.of(odds, negatives, positives)

    def add(self, part: Part, cells: NDArray[np.int8]) -> None:
        """Add the images of a shard."""
        kernels.add_regression(part.codes, cells, self._odds(part.logit), self._places, REGRESSION, self._sums)

    def estimate(self, a: int, line: tuple[float, float] = (1.0, 0.0), level: float = LEVEL) -> Recalibration:
        """Estimate slope and intercept of attribute ``a`` on a·z + b, ``line``, of the log-odds z."""
        sums, sizes = self._sums[:, a] / REGRESSION, self.scores.sizes(a)
        known = self.scores.clusters.known
        return recalibration_of_totals(self._fits[a], sums, sizes, known=known, line=line, level=level)


def line_of(manifest: Manifest, attribute: str) -> tuple[float, float]:
    """Return a and b of the prior-corrected log-odds a·z + b of an attribute whose model's card states a correction."""
    fitted: Sequence[float] | None = manifest.model.card.get("calibration", {}).get(attribute)
    if fitted is not None:
        return float(fitted[0]), float(fitted[1])
    return 1.0, -float(manifest.logit_shift.get(attribute) or 0)
