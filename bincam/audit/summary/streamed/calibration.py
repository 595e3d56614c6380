"""Calibration of a long audit: sums of probabilities by cluster and value, and figures of whole attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.calibration import calibration_entry
from bincam.audit.summary.streamed import kernels
from bincam.audit.summary.streamed.clusters import StreamedClusters
from bincam.audit.summary.streamed.kernels import PROBABILITY
from bincam.audit.summary.streamed.records import Part
from bincam.audit.summary.streamed.scores import Regression, Scores, line_of
from bincam.stats.calibration import BINS, Calibration, calibrate, probability, unshifted
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats
from bincam.stats.recalibration import Recalibration
from bincam.stats.totals.calibration import ProbabilityTotals, calibration_of_totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bincam.audit.folder.manifest import Manifest


BYTES = BINS * (2 * 4 + 8) + 2 * 4 + 8
"""Of the sums of a cluster, an attribute and a value."""


@dataclass(frozen=True)
class Binned:
    """The probabilities of the n images of a shard in reliability bins; see ``kernels.in_bins``.

    Attributes:
        cells: ``(n, A)``.
        bins: ``(n, A)``.
        units: ``(n, A, 3)``.
    """

    cells: NDArray[np.int8]
    bins: NDArray[np.int8]
    units: NDArray[np.int64]

    @classmethod
    def of(cls, cells: NDArray[np.int8], probability: Floats) -> Binned:
        """Bin the probabilities ``(n, A)`` of images."""
        result = cls(cells, np.empty(cells.shape, np.int8), np.empty((*cells.shape, 3), np.int64))
        kernels.in_bins(cells, probability, BINS, result.bins, result.units)
        return result

    def some(self, attributes: slice) -> Binned:
        """Return some attributes."""
        return Binned(
            np.ascontiguousarray(self.cells[:, attributes]),
            np.ascontiguousarray(self.bins[:, attributes]),
            np.ascontiguousarray(self.units[:, attributes]),
        )


@dataclass(frozen=True)
class Probabilities:
    """Sums of probabilities by cluster, attribute, value and bin; see ``kernels.add_probabilities``.

    Attributes:
        clusters: The clusters.
        counts: ``(K, A, V, 2 BINS + 2)``.
        sums: ``(K, A, V, BINS + 1)``.
        moments: ``(A, V, BINS, 2)``.
    """

    clusters: StreamedClusters
    counts: NDArray[np.int32]
    sums: NDArray[np.int64]
    moments: NDArray[np.int64]

    @classmethod
    def empty(cls, clusters: StreamedClusters, attributes: int, values: int = 1) -> Probabilities:
        """Make sums to add to."""
        shape = clusters.count, attributes, values
        return cls(
            clusters,
            np.zeros((*shape, 2 * BINS + 2), np.int32),
            np.zeros((*shape, BINS + 1), np.int64),
            np.zeros((attributes, values, BINS, 2), np.int64),
        )

    def add(self, codes: NDArray[np.int32], place: NDArray[np.int32], binned: Binned) -> None:
        """Add the images of a shard: their clusters ``(n,)``, values ``(n,)`` and probabilities."""
        kernels.add_probabilities(
            codes, place, binned.cells, binned.bins, binned.units, self.counts, self.sums, self.moments
        )

    def of(self, a: int, v: int = 0) -> ProbabilityTotals:
        """Return the sums of attribute ``a`` within value ``v``."""
        counts = self.counts[:, a, v].astype(float)
        sums, moments = (self.sums[:, a, v].astype(float), self.moments[a, v].astype(float))
        sums, moments = np.multiply(sums, PROBABILITY), np.multiply(moments, PROBABILITY)
        return ProbabilityTotals(
            counts[:, : 2 * BINS : 2],
            counts[:, 1 : 2 * BINS : 2],
            sums[:, :BINS],
            counts[:, 2 * BINS :],
            moments[:, 0],
            moments[:, 1],
            sums[:, BINS],
            self.clusters.known,
        )


class CalibrationTotals:
    """What clusters contribute to the calibration of every attribute."""

    def __init__(self, manifest: Manifest, attributes: Sequence[str], scores: Scores) -> None:
        """Prepare the second scan.

        Args:
            manifest: The audit's manifest.
            attributes: Names.
            scores: Of the first scan.
        """
        self._manifest, self._attributes, self._scores = manifest, attributes, scores
        fitted = manifest.model.card.get("calibration", {})
        self._fitted = [fitted.get(name) for name in attributes]
        self._shift = [manifest.logit_shift.get(name) for name in attributes]
        of_nothing = np.zeros(0)
        head = manifest.head
        self._reasons = [
            unshifted(of_nothing, shift, head, line)[1] for shift, line in zip(self._shift, self._fitted, strict=True)
        ]
        self._plain = Probabilities.empty(scores.clusters, len(attributes))
        self._corrected = Probabilities.empty(scores.clusters, len(attributes))
        self._regression = Regression(scores, head)
        # A margin head's card may state a line of the raw outputs, whose regression is another one.
        raw = head == "margin" and not all(self._reasons)
        self._of_corrected = Regression(scores, "logits") if raw else self._regression

    def add(self, part: Part, cells: NDArray[np.int8], binned: Binned) -> None:
        """Add the images of a shard, with their probabilities as trained."""
        everywhere = np.zeros(len(part.rows), np.int32)
        self._plain.add(part.codes, everywhere, binned)
        self._corrected.add(part.codes, everywhere, Binned.of(cells, self._unshifted(part.logit)))
        self._regression.add(part, cells)
        if self._of_corrected is not self._regression:
            self._of_corrected.add(part, cells)

    def _unshifted(self, logit: NDArray[np.float32]) -> Floats:
        lines = np.array([line_of(self._manifest, name) for name in self._attributes])
        undefined = np.array([bool(reason) for reason in self._reasons])
        with np.errstate(invalid="ignore"):
            corrected = probability(lines[:, 0] * logit.astype(float) + lines[:, 1], "logits")
        return np.where(undefined, np.nan, corrected)

    def of(self, a: int, level: float = LEVEL) -> tuple[dict[str, Estimate], dict[str, Any]]:
        """Estimate the calibration of attribute ``a``, as ``attribute_calibration`` does."""
        reason = self._reasons[a]
        plain = self._calibration(self._plain, a, self._regression.estimate(a, level=level), level)
        line = line_of(self._manifest, self._attributes[a])
        if reason:
            corrected = self._undefined(level)
        else:
            corrected = self._calibration(self._corrected, a, self._of_corrected.estimate(a, line, level), level)
        return calibration_entry(plain, corrected, reason=reason, shift=self._shift[a], fitted=self._fitted[a])

    def _calibration(self, sums: Probabilities, a: int, fit: Recalibration, level: float) -> Calibration:
        totals = sums.of(a)
        return calibration_of_totals(totals, fit, level) if totals.images.any() else self._undefined(level)

    def _undefined(self, level: float) -> Calibration:
        """The calibration of no image."""
        nobody = Clusters(np.zeros(0, np.int64), self._scores.clusters.known)
        return calibrate(np.zeros(0), np.zeros(0), nobody, level=level)
