"""Greedy cover: a few views of which one is right in most images, fitted on one half and judged on the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.framing.answers import halves
from bincam.stats.framing.averages import share


@dataclass(frozen=True)
class Cover:
    """Views in the order in which a greedy cover takes them.

    Attributes:
        views: Indices of views.
        fitted: Share of the first half's images that the views up to each one get right; optimistic.
        judged: The same of the other half, with intervals.
    """

    views: tuple[int, ...]
    fitted: tuple[float, ...]
    judged: tuple[Estimate, ...]


def greedy_cover(
    right: NDArray[np.floating], clusters: Clusters, *, limit: int | None = None, seed: int = 0, level: float = LEVEL
) -> Cover:
    """Take views one at a time, each the one that is right in most images that are not yet covered.

    The paper's minimal covers are fitted and read on the same images, where rare answers cover what they cannot know;
    judging on the other half is ours. Of equal views the first is taken. It ends where no view adds an image.

    Args:
        right: ``(N, V)``, from ``rightness``; an image without any 1 or 0 is left out.
        clusters: Clusters of the N images; those of one person are in the same half.
        limit: Number of views at most.
        seed: Seed of the halves.
        level: Confidence level.

    Example:
        The first view is right in all images but every fifth, and the third in these:

        >>> import numpy as np
        >>> from bincam.stats import Clusters, greedy_cover
        >>> fifth = np.arange(100) % 5 == 0
        >>> cover = greedy_cover(np.stack([~fifth, ~fifth, fifth], 1).astype(float), Clusters.of([""] * 100))
        >>> cover.views, [estimate.value for estimate in cover.judged]
        ((0, 2), [0.8..., 1.0])
    """
    known = np.isfinite(right).any(1)
    fitting = halves(clusters, seed)
    hits = np.asarray(right == 1)
    first = hits[fitting & known]
    open_images = np.ones(len(first), bool)
    covered = np.zeros(len(right), bool)
    views: list[int] = []
    fitted: list[float] = []
    judged: list[Estimate] = []
    while limit is None or len(views) < limit:
        gains = first[open_images].sum(0)
        if not len(first) or not gains.max(initial=0):
            break
        view = int(gains.argmax())
        open_images &= ~first[:, view]
        covered |= hits[:, view]
        views.append(view)
        fitted.append(float(1 - open_images.mean()))
        judged.append(share(np.where(known & ~fitting, covered, np.nan), clusters, level))
    return Cover(tuple(views), tuple(fitted), tuple(judged))
