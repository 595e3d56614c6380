"""Scores of a kind of map on counterfactual pairs: how much of the known change it holds, and where, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.metrics.counterfactual.changes import MapChanges
from bincam.stats.clustered.means import overall_means
from bincam.stats.clustered.rank_correlations import rank_correlation
from bincam.stats.clustered.ratios import ratio_of_sums
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats

SHARE, DIFFERENCE, SIZE = (0.0, 1.0), (-1.0, 1.0), (0.0, np.inf)
RATIOS = {
    "held": ("held", "change"),
    "held_inside": ("held_inside", "change"),
    "other_held_inside": ("other_held_inside", "other_change"),
}
"""Ratios of sums: share of the change of all judged pairs."""
MEANS: dict[str, tuple[str, str | None, tuple[float, float]]] = {
    "toward": ("toward", None, SHARE),
    "toward_over_area": ("toward", "area", DIFFERENCE),
    "toward_over_other": ("toward", "other_toward", DIFFERENCE),
    "absolute": ("absolute", None, SHARE),
    "absolute_over_area": ("absolute", "area", DIFFERENCE),
    "absolute_over_other": ("absolute", "other_absolute", DIFFERENCE),
    "auroc": ("auroc", None, SHARE),
    "auroc_over_other": ("auroc", "other_auroc", DIFFERENCE),
    "area": ("area", None, SHARE),
    "reach": ("reach", None, SHARE),
}
"""Means over pairs, less those of a null where one is named, with their bounds."""
ROUNDING = 1e-3
"""Logit units, or share of the change, by which a sum of float32 cells may be off."""
FIGURES = (*RATIOS, *MEANS, "tracking", "size", "response")


@dataclass(frozen=True)
class CounterfactualScore:
    """Figures of one kind of map over pairs.

    Attributes:
        pairs: Number of pairs.
        judged: Pairs whose logit changed by at least ``least``.
        still: Pairs whose logit did not: left out of all figures but ``size`` and ``response``.
        undefined: Pairs with a map or logit that is not finite.
        unplaced: Judged pairs without a mask that has an inside and an outside: left out of figures of a place.
        figures: Estimates by the names of ``FIGURES``. ``held``, ``held_inside`` and ``other_held_inside`` (the same
            masks with the maps of other pairs) are ratios of sums: a pair counts by the size of its change. The others
            are means over pairs; ``..._over_...`` are paired differences from a null. ``tracking`` is the rank
            correlation over pairs of Σ w ΔS with Δz, in any unit. ``size`` is the mean |Δz| and ``response`` the share
            of pairs in which Δz has the sign of the edit, where it is known; both are of all pairs.

    Example:
        >>> import torch
        >>> from bincam.metrics import counterfactual_score, map_changes
        >>> _ = torch.manual_seed(0)
        >>> before, after = torch.rand(2, 30, 4, 4)
        >>> z = [maps.sum((1, 2)) for maps in (before, after)]
        >>> mask = torch.zeros(30, 4, 4)
        >>> mask[:, :2] = 1
        >>> changes = map_changes(before, after, *z, mask, torch.ones(4, 4))
        >>> score = counterfactual_score(changes)
        >>> round(score.figures["held"].value, 6), score.pairs == score.judged + score.still
        (1.0, True)
    """

    pairs: int
    judged: int
    still: int
    undefined: int
    unplaced: int
    figures: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Return counts and figures as a JSON object."""
        counts = {name: getattr(self, name) for name in ("pairs", "judged", "still", "undefined", "unplaced")}
        return {**counts, "figures": {name: figure.to_json() for name, figure in self.figures.items()}}


def counterfactual_score(
    changes: MapChanges,
    *,
    people: Sequence[str] | None = None,
    direction: ArrayLike | None = None,
    complete: bool = False,
    of: NDArray[np.bool_] | None = None,
    level: float = LEVEL,
) -> CounterfactualScore:
    """Estimate the figures of some or all pairs; pairs of one person are not independent of one another.

    Args:
        changes: Of N pairs.
        people: N names, empty where unknown; None if none is known.
        direction: ``(N,)``: 1 where the edit added the attribute, -1 where it removed it, NaN where unknown; None if
            unknown throughout.
        complete: Whether maps and a constant add up to the logit, as ``Explanation.complete`` says. If the constant is
            also the same for both images of every pair, as of a linear head, ``held`` is 1 by identity and not by
            sampling, and its interval is that point. In a set the constant depends on the image.
        of: ``(N,)``: the pairs to score; None for all.
        level: Confidence level.

    Returns:
        The score; figures of nothing are undefined.

    Example:
        Thirty pairs whose maps hold half of the change, all of it in the left half of the image:

        >>> import torch
        >>> from bincam.metrics import counterfactual_score, map_changes
        >>> left, total = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.ones(2, 2)
        >>> before, masks = torch.zeros(30, 2, 2), left.expand(30, 2, 2)
        >>> z = torch.linspace(1, 4, 30)
        >>> after = z[:, None, None] * left / 4
        >>> score = counterfactual_score(map_changes(before, after, torch.zeros(30), z, masks, total))
        >>> [round(score.figures[name].value, 3) for name in ("held", "held_inside", "toward_over_area", "auroc")]
        [0.5, 0.5, 0.5, 1.0]
    """
    names = [""] * len(changes.change) if people is None else list(people)
    rows = np.flatnonzero(np.ones(len(names), bool) if of is None else of)
    columns = {name: _array(getattr(changes, name))[rows] for name in changes.__dataclass_fields__}
    clusters = Clusters.of([names[row] for row in rows])
    judged, still, placed = (columns[name].astype(bool) for name in ("judged", "still", "placed"))
    figures = _ratios(columns, clusters, judged, complete, level)
    figures |= _means(columns, clusters, judged, level)
    z = columns["change"]
    figures["tracking"] = rank_correlation(columns["inside"], np.where(judged, z, np.nan), clusters, level)
    way = np.full(len(rows), np.nan) if direction is None else np.asarray(direction, np.float64)[rows]
    with np.errstate(invalid="ignore"):
        followed = np.where(np.isfinite(z * way) & (way != 0), (z * way > 0).astype(float), np.nan)
    for name, values, bounds in (("size", np.abs(z), SIZE), ("response", followed, SHARE)):
        figures[name] = overall_means(values[:, None], clusters, bounds, level).estimate(0, 0)
    return CounterfactualScore(
        pairs=len(rows),
        judged=int(judged.sum()),
        still=int(still.sum()),
        undefined=int((~judged & ~still).sum()),
        unplaced=int((judged & ~placed).sum()),
        figures={name: figures[name] for name in FIGURES},
    )


def _ratios(
    columns: Mapping[str, Floats], clusters: Clusters, judged: NDArray[np.bool_], complete: bool, level: float
) -> dict[str, Estimate]:
    result = {}
    for name, (top, bottom) in RATIOS.items():
        size = np.where(judged, np.abs(columns[bottom]), np.nan)
        result[name] = ratio_of_sums(columns[top], size, clusters, level)
    held, size = result["held"], np.abs(columns["change"])
    off = np.abs(columns["held"] - size)[judged]
    if complete and held.defined and (off <= ROUNDING * np.maximum(size[judged], 1)).all():
        exact = Estimate(held.value, held.value, held.value, held.images, held.identities, "ok", "identity")
        result["held"] = exact
    return result


def _means(
    columns: Mapping[str, Floats], clusters: Clusters, judged: NDArray[np.bool_], level: float
) -> dict[str, Estimate]:
    values, low, high = [], [], []
    for own, null, bounds in MEANS.values():
        value = columns[own] if null is None else columns[own] - columns[null]
        values.append(np.where(judged, value, np.nan))
        low.append(bounds[0])
        high.append(bounds[1])
    means = overall_means(np.stack(values, 1), clusters, (np.array(low), np.array(high)), level)
    return {name: means.estimate(0, number) for number, name in enumerate(MEANS)}


def _array(values: Tensor) -> Floats:
    return np.asarray(values.numpy(force=True), np.float64)
