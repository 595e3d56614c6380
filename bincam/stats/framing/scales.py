"""The scale that a question needs: accuracy over scales, its maximum found on one half and judged on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.framing.answers import halves
from bincam.stats.framing.averages import means

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class NeededScale:
    """Accuracy of one question over the scales of a plan.

    Attributes:
        sizes: The scales S, ascending.
        curve: Accuracy at each, over all images.
        needed: The scale of the best accuracy in the first half; None where nothing is defined.
        judged: Its accuracy in the other half.
        gain: Its accuracy less the mean over all scales, paired, in the other half. Where the interval contains 0, no
            scale is needed more than another.
        anchors: ``seen``, only views that see the object's centre; or ``all``.
    """

    sizes: tuple[int, ...]
    curve: tuple[Estimate, ...]
    needed: int | None
    judged: Estimate
    gain: Estimate
    anchors: str


def needed_scale(
    right: NDArray[np.floating],
    scale: NDArray[np.integer],
    sizes: Sequence[int],
    clusters: Clusters,
    *,
    seen: Bools | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> NeededScale:
    """Find the scale at which a question is answered best. *Ours*.

    An image's accuracy at a scale is the mean over the anchors whose view sees the object's centre, so that a zoom is
    not blamed for looking elsewhere. At large scales there may be none; the image is then left out of that scale.

    Args:
        right: ``(N, V)``, from ``rightness``.
        scale: ``(V,)``: index of each view's scale, ``Places.scale``.
        sizes: The scales S, ``Plan.sizes``.
        clusters: Clusters of the N images.
        seen: ``(N, V)``: whether the object's centre is visible, ``Places.visible``. None takes all anchors.
        seed: Seed of the halves.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or a scale has no view.

    Example:
        >>> import numpy as np
        >>> from bincam.stats import Clusters, needed_scale
        >>> right = np.tile([0.0, 0.0, 1.0, 1.0], (100, 1))
        >>> found = needed_scale(right, np.array([0, 0, 1, 1]), (128, 256), Clusters.of([""] * 100))
        >>> found.needed, found.judged.value, found.gain.value
        (256, 1.0, 0.5)
    """
    at = np.asarray(scale)
    if at.shape != right.shape[1:] or set(at.tolist()) != set(range(len(sizes))):
        raise InputError(f"expected the index of one of {len(sizes)} scales for each of {right.shape[1]} views")
    if seen is not None and seen.shape != right.shape:
        raise InputError(f"expected seen {right.shape} of images and views, got {seen.shape}")
    usable = np.isfinite(right) if seen is None else np.isfinite(right) & seen
    of_scale = (at[:, None] == np.arange(len(sizes))).astype(float)  # (V, scales)
    count = usable.astype(float) @ of_scale
    with np.errstate(invalid="ignore"):
        accuracy = (np.where(usable, right, 0.0) @ of_scale) / count
    fitting = halves(clusters, seed)
    curve = tuple(means(accuracy, clusters, level=level))
    first = accuracy[fitting]
    filled = np.isfinite(first).sum(0)
    with np.errstate(invalid="ignore"):
        fitted = np.where(filled > 0, np.nansum(first, 0) / filled, -np.inf)
    anchors = "all" if seen is None else "seen"
    if not filled.any():
        nothing = undefined("t, skewness")
        return NeededScale(tuple(sizes), curve, None, nothing, nothing, anchors)
    best = int(fitted.argmax())
    other = np.where(fitting[:, None], np.nan, accuracy)
    judged = means(other[:, [best]], clusters, level=level)[0]
    known = np.isfinite(other)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = np.nansum(other, 1) / known.sum(1)
    gain = means((other[:, best] - average)[:, None], clusters, (-1.0, 1.0), level)[0]
    if len(sizes) == 1:
        gain = replace(undefined(gain.method), images=gain.images)
    return NeededScale(tuple(sizes), curve, int(sizes[best]), judged, gain, anchors)
