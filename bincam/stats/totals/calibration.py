"""Calibration from sums of probabilities by cluster and reliability bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.calibration import PLUG_IN, Calibration, reliability
from bincam.stats.calibration_error import BinSums, calibration_error
from bincam.stats.clustered.means import mean_estimate, means_of_totals
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate
from bincam.stats.proportions import shares_of_totals
from bincam.stats.recalibration import Recalibration, signed_error_of_totals


@dataclass(frozen=True)
class ProbabilityTotals:
    """What clusters have of images, labels and probabilities p in B bins.

    Attributes:
        images: ``(K, B)``.
        positives: ``(K, B)``.
        sums: ``(K, B)``: of p.
        surprises: ``(K, 2)``: images with p - y below -½, and above ½.
        squares: ``(B,)``: sum of (p - y)².
        variance: ``(B,)``: sum of p(1 - p).
        squared: ``(K,)``: sums of (p - y)² by cluster, for the Brier score.
        known: True if clusters are people; else they are groups of images that are independent of one another.
    """

    images: Floats
    positives: Floats
    sums: Floats
    surprises: Floats
    squares: Floats
    variance: Floats
    squared: Floats
    known: bool

    @property
    def present(self) -> NDArray[np.bool_]:
        """``(K,)``: clusters with an image."""
        return np.asarray(self.images.sum(1) > 0)

    @property
    def people(self) -> int | None:
        """Number of people; None where none are known."""
        return int(self.present.sum()) if self.known else None

    @property
    def bins(self) -> BinSums:
        """The sums of which the calibration error is estimated."""
        here = self.present
        count = np.maximum(self.images.sum(0), 1)
        excess = self.sums - self.positives
        mean = self.sums.sum(0) / count
        return BinSums(self.images[here], excess[here], self.squares, self.variance, mean, independent=not self.known)

    def signed(self, level: float = LEVEL) -> Estimate:
        """Estimate the signed calibration error."""
        excess = (self.sums - self.positives).sum(1)
        squares = float(self.squares.sum())
        return signed_error_of_totals(
            self.images.sum(1), excess, squares, self.surprises, known=self.known, level=level
        )


def calibration_of_totals(totals: ProbabilityTotals, fit: Recalibration, level: float = LEVEL) -> Calibration:
    """Estimate the calibration of one attribute as ``calibrate`` does.

    Args:
        totals: Of at least one image.
        fit: Slope and intercept.
        level: Confidence level.

    Example:
        >>> from bincam.stats.estimate import undefined
        >>> nothing = undefined("")
        >>> images, yes, p = (np.zeros((100, 15)) for _ in range(3))
        >>> images[:, 13], p[:, 13], yes[:70, 13] = 1, 0.9, 1
        >>> squares, spread = np.zeros(15), np.zeros(15)
        >>> squares[13], spread[13] = 70 * 0.01 + 30 * 0.81, 9.0
        >>> of_image = np.repeat([0.01, 0.81], [70, 30])
        >>> totals = ProbabilityTotals(images, yes, p, np.zeros((100, 2)), squares, spread, of_image, known=False)
        >>> found = calibration_of_totals(totals, Recalibration(nothing, nothing))
        >>> round(found.ece.value, 3), round(found.brier.value, 3), found.bins[0]["positive_rate"]
        (0.2, 0.25, 0.7)
    """
    n = int(totals.images.sum())
    error = calibration_error(totals.bins, level=level)
    here = totals.present
    value, low, high, images, people, _, _ = means_of_totals(
        totals.squared[here, None],
        totals.images[here].sum(1)[:, None],
        (0.0, 1.0),
        level,
        independent=not totals.known,
    )
    identities = int(people[0]) if totals.known else None
    brier = mean_estimate(float(value[0]), float(low[0]), float(high[0]), int(images[0]), identities, totals.known)
    used = np.flatnonzero(totals.images.sum(0) > 0)
    share = shares_of_totals(totals.positives[:, used], totals.images[:, used], known=totals.known, level=level)
    return Calibration(
        estimate(error.value, np.nan, np.nan, n, totals.people, PLUG_IN),
        brier,
        reliability(share, used, totals.sums.sum(0)[used] / share.images, totals.images.shape[1]),
        error,
        totals.signed(level),
        fit.slope,
        fit.intercept,
        "",
        fit.reason,
    )
