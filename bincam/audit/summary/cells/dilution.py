"""Dilution: are objects that cover few cells missed more often, as a mean over all cells would have it?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.cells.rows import one_mean
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL
from bincam.stats.roc import ranking

BINS = 3


def dilution(
    share: NDArray[np.floating], missed: NDArray[np.floating], clusters: Clusters, level: float = LEVEL
) -> dict[str, Any]:
    """Compare the foreground's share of the cells, k/n, of missed and of found images.

    Args:
        share: ``(N,)``: k/n of images with the attribute and a mask; NaN elsewhere.
        missed: ``(N,)``: 1 where the model misses the attribute, 0 where it finds it, NaN elsewhere.
        clusters: Of the N images.
        level: Confidence level.

    Returns:
        ``smaller``: the probability that a missed image's object covers fewer cells than a found one's, ties half, a
        rank statistic (1/2 where size makes no difference), with the interval of an AUROC; and ``bins``, thirds of the
        images by k/n with their edges, where ``missed`` is the share that is missed.

    Example:
        Objects of one cell are missed, larger ones are found:

        >>> share = np.repeat([1 / 49, 9 / 49], 50)
        >>> found = dilution(share, np.repeat([1.0, 0.0], 50), Clusters.of([""] * 100))
        >>> found["smaller"]["value"], [(part["images"], part["missed"]["value"]) for part in found["bins"]]
        (1.0, [(50, 1.0), (50, 0.0)])
    """
    values = np.where(np.isfinite(missed), np.asarray(share, float), np.nan)
    smaller, _ = ranking(-values, np.asarray(missed, float), clusters, level)
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return {"smaller": smaller.to_json(), "bins": []}
    # Equal shares are never divided, so there are fewer bins where few shares occur.
    upper = np.unique(np.quantile(known, np.arange(1, BINS + 1) / BINS, method="nearest"))
    place = np.where(np.isfinite(values), np.searchsorted(upper, values), -1)
    bins = []
    for k in range(len(upper)):
        inside = place == k
        bins.append(
            {
                "from": float(values[inside].min()),
                "to": float(values[inside].max()),
                "images": int(inside.sum()),
                "missed": one_mean(np.where(inside, missed, np.nan), clusters, level, share=True).to_json(),
            }
        )
    return {"smaller": smaller.to_json(), "bins": bins}
