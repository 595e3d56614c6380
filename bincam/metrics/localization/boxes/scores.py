"""Scores of boxes over a data set: accuracies at a fixed, a chosen and the best threshold, and the second version.

A rate is over images with a true box. Where a threshold is the best one, it is one for all images of the data set: an
image does not count because *some* threshold hits it. Two thresholds are honest (fixed beforehand, or chosen on the
reference split); *MaxBoxAcc* and its second version take the best one on the very images that they score, an oracle,
and their intervals do not include that choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.metrics.localization.boxes.overlaps import NO_BOX, NO_EVIDENCE, NO_TRUTH, Overlaps
from bincam.metrics.localization.boxes.protocols.levels import FIXED
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.proportions import shares

DELTA = 0.5
DELTAS = (0.3, 0.5, 0.7)
"""δ of the second version (Choe et al. 2020)."""

ORACLE = "threshold chosen on these images"


@dataclass(frozen=True)
class BoxScores:
    """Accuracies of the boxes of one attribute.

    Attributes:
        fixed: Share of images whose box has IoU ≥ δ, at τ = .2.
        chosen: The same at the τ that was best on the reference split; undefined without one.
        max_box_acc: The same at the τ that is best on these images.
        v2: Mean over δ of .3, .5 and .7 of the share of images in which some component's box has IoU ≥ δ, each at the τ
            that is best for that δ on these images.
        chosen_level: τ of ``chosen``; NaN without a reference split.
        max_level: τ of ``max_box_acc``.
        v2_levels: The three τ of ``v2``.
        images: N, images with a true box.
        no_box: Of these, images whose map has no box: misses.
        no_evidence: Of these, images whose map was boxed without positive evidence (``clovaai``).
        no_truth: Images without a true box, which are in no rate.

    Example:
        >>> from bincam.metrics import Overlaps, box_scores
        >>> from bincam.stats import Clusters
        >>> curves = np.array([[0.9], [np.nan], [np.nan]])  # a hit, a map without a box, an image without a true box
        >>> overlaps = Overlaps(np.array([0.2]), curves, curves, np.array([0, 1, 2], np.int8))
        >>> scores = box_scores(overlaps, Clusters.of(["", "", ""]))
        >>> scores.fixed.value, scores.images, scores.no_box, scores.no_truth
        (0.5, 2, 1, 1)
    """

    fixed: Estimate
    chosen: Estimate
    max_box_acc: Estimate
    v2: Estimate
    chosen_level: float
    max_level: float
    v2_levels: tuple[float, float, float]
    images: int
    no_box: int
    no_evidence: int
    no_truth: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object: None for NaN."""
        levels = {"chosen_level": self.chosen_level, "max_level": self.max_level}
        return {
            **{name: getattr(self, name).to_json() for name in ("fixed", "chosen", "max_box_acc", "v2")},
            **{name: None if np.isnan(value) else value for name, value in levels.items()},
            "v2_levels": [None if np.isnan(value) else value for value in self.v2_levels],
            **{name: getattr(self, name) for name in ("images", "no_box", "no_evidence", "no_truth")},
        }


def box_scores(
    overlaps: Overlaps,
    clusters: Clusters,
    *,
    chosen_level: float | None = None,
    decided: ArrayLike | None = None,
    delta: float = DELTA,
    level: float = LEVEL,
) -> BoxScores:
    """Score the boxes of one attribute.

    Args:
        overlaps: Curves ``(N, L)`` of N images, at levels that include .2.
        clusters: Clusters of the N images.
        chosen_level: τ from the reference split, see ``best_level``; None without one.
        decided: ``(N,)`` bool: the attribute was also decided to be present, which makes *top-1* figures. None gives
            *GT-known* ones.
        delta: δ of all but ``v2``.
        level: Confidence level.

    Returns:
        The scores, with intervals that account for clusters.

    Raises:
        InputError: The curves are not those of one attribute, numbers of images differ, or a level was not measured.

    Example:
        Two images, each hit at a different threshold: no single one hits both.

        >>> import numpy as np
        >>> from bincam.metrics import Overlaps, box_scores
        >>> from bincam.stats import Clusters
        >>> curves = np.array([[0.9, 0.1], [0.1, 0.9]])
        >>> overlaps = Overlaps(np.array([0.2, 0.6]), curves, curves, np.zeros(2, np.int8))
        >>> scores = box_scores(overlaps, Clusters.of(["", ""]))
        >>> scores.max_box_acc.value, scores.v2.value, scores.images
        (0.5, 0.5, 2)
    """
    n = len(overlaps.status)
    if overlaps.one.ndim != 2 or n != len(clusters.codes):
        raise InputError(
            f"scores are of one attribute: curves (N, L) of as many images as the clusters have "
            f"({len(clusters.codes)}), got {overlaps.one.shape}"
        )
    yes = np.ones(n, bool) if decided is None else np.asarray(decided, bool)
    if yes.shape != (n,):
        raise InputError(f"decisions are of {n} images, got shape {yes.shape}")

    def right(wanted: float, *, several: bool = False) -> NDArray[np.float64]:
        hits = overlaps.hits(wanted, several=several)
        return np.where(np.isnan(hits), np.nan, hits * yes[:, None])

    hits = right(delta)
    best = _best(hits)
    many = [right(wanted, several=True) for wanted in DELTAS]
    bests = [_best(one) for one in many]
    counted = overlaps.status != NO_TRUTH
    v2 = mean_of(np.mean([one[:, at] for one, at in zip(many, bests, strict=True)], axis=0), clusters, level)

    def tau(at: int) -> float:
        return float(overlaps.levels[at]) if counted.any() else float("nan")

    chosen = undefined("no reference split")
    if chosen_level is not None:
        chosen = hit_rate(hits[:, overlaps.at(chosen_level)], clusters, level)
    return BoxScores(
        fixed=hit_rate(hits[:, overlaps.at(FIXED)], clusters, level),
        chosen=chosen,
        max_box_acc=_oracle(hit_rate(hits[:, best], clusters, level)),
        v2=_oracle(v2),
        chosen_level=float("nan") if chosen_level is None else float(chosen_level),
        max_level=tau(best),
        v2_levels=(tau(bests[0]), tau(bests[1]), tau(bests[2])),
        images=int(counted.sum()),
        no_box=int((overlaps.status == NO_BOX).sum()),
        no_evidence=int((overlaps.status == NO_EVIDENCE).sum()),
        no_truth=int((~counted).sum()),
    )


def best_level(reference: Overlaps, delta: float = DELTA) -> float:
    """Choose the threshold with the highest accuracy on the reference split, one for the whole data set.

    Args:
        reference: Curves ``(..., L)`` of the reference split, of one attribute or of all.
        delta: δ.

    Returns:
        τ, the lowest of equals.

    Raises:
        InputError: No image has a true box.

    Example:
        >>> import numpy as np
        >>> from bincam.metrics import Overlaps, best_level
        >>> curves = np.array([[0.9, 0.6], [0.1, 0.9]])
        >>> best_level(Overlaps(np.array([0.2, 0.6]), curves, curves, np.zeros(2, np.int8)))
        0.6
    """
    hits = reference.hits(delta).reshape(-1, len(reference.levels))
    if np.isnan(hits).all():
        raise InputError("the reference split has no image with a true box, from which to choose a threshold")
    return float(reference.levels[_best(hits)])


def hit_rate(hits: ArrayLike, clusters: Clusters, level: float = LEVEL) -> Estimate:
    """Estimate the share of hits among images with a true box, with an interval that accounts for clusters.

    Args:
        hits: ``(N,)``: 1, 0, or NaN for an image without a true box.
        clusters: Clusters of the N images.
        level: Confidence level.

    Example:
        >>> from bincam.metrics import hit_rate
        >>> from bincam.stats import Clusters
        >>> rate = hit_rate([1, 0, 1, float("nan")], Clusters.of([""] * 4))
        >>> round(rate.value, 2), rate.images, rate.status
        (0.67, 3, 'small')
    """
    values = np.asarray(hits, np.float64)
    if not np.isfinite(values).any():
        return undefined("no image with a true box")
    return shares(values, np.ones(values.shape, bool), clusters, level).estimate()


def _best(hits: NDArray[np.float64]) -> int:
    """The level at which most images are hit, the lowest of equals."""
    return int(np.nansum(hits, axis=0).argmax())


def mean_of(values: NDArray[np.float64], clusters: Clusters, level: float, least: float = 0.0) -> Estimate:
    """Estimate the mean of values ``(N,)`` between the least and 1; NaN is left out."""
    if not np.isfinite(values).any():
        return undefined("no image with a true box")
    cell, everyone = np.zeros(len(values), int), np.ones((1, 1))
    return group_means(values[:, None], cell, everyone, clusters, (least, 1.0), level).estimate(0, 0)


def _oracle(estimate: Estimate) -> Estimate:
    return replace(estimate, method=f"{estimate.method}, {ORACLE}") if estimate.defined else estimate


def pooled(overlaps: Sequence[Overlaps]) -> Overlaps:
    """Join the curves of several batches, one after the other.

    Raises:
        InputError: There is none, or their levels differ.

    >>> batch = Overlaps(np.array([0.2]), np.ones((2, 1)), np.ones((2, 1)), np.zeros(2, np.int8))
    >>> pooled([batch, batch]).one.shape
    (4, 1)
    """
    if not overlaps:
        raise InputError("there are no batches to join")
    first = overlaps[0].levels
    if any(not np.array_equal(first, one.levels) for one in overlaps):
        raise InputError("curves at different levels cannot be joined; measure every batch at the same ones")
    return Overlaps(
        first, *(np.concatenate([getattr(o, name) for o in overlaps]) for name in ("one", "several", "status"))
    )
