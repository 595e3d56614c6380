"""Average-K sets: as many labels as each image's scores leave open, K on average over a calibration split.

An image that shows one thing gets one label, one that shows four gets four. Top-K gives both the same number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bincam.display import counted
from bincam.errors import InputError
from bincam.postprocessing.label_sets import (
    Floats,
    LabelSets,
    Ties,
    as_scores,
    at_least,
    check_names,
    check_outputs,
    finite_rows,
    row_blocks,
)


@dataclass(frozen=True)
class AverageK:
    """A threshold that keeps a given mean number of labels on a calibration split.

    Attributes:
        threshold: λ, in the units of the scores; -inf where all labels are asked for.
        asked: The mean size that was asked for.
        labels: k, the number of labels to keep in the split, ``round(images * asked)``.
        images: n, those with finite scores.
        undefined: Images of the split with a score that is not finite; they are left out.
        outputs: K.
        ties: Number of the split's scores that equal λ where it divides equal scores, otherwise 0.
        kept_share: The share of them that makes exactly k labels; 1 without ties.
        names: Names of the outputs; empty if none were given.

    Example:
        ``fit_average_k`` returns it. The second image is clear, the first is not:

        >>> fitted = fit_average_k([[0.5, 0.4, 0.1], [0.9, 0.06, 0.04]], size=1.5)
        >>> round(fitted.threshold, 2), fitted.labels, fitted.sets([[0.5, 0.4, 0.1], [0.9, 0.06, 0.04]]).sizes.tolist()
        (0.25, 3, [2, 1])
    """

    threshold: float
    asked: float
    labels: int
    images: int
    undefined: int
    outputs: int
    ties: int
    kept_share: float
    names: tuple[str, ...] = ()

    @property
    def size_with_ties(self) -> float:
        """The mean size on the calibration split if ties are kept whole."""
        return (self.labels + round(self.ties * (1 - self.kept_share))) / self.images

    def sets(
        self, scores: ArrayLike, *, names: Sequence[str] | None = None, ties: Ties = "whole", seed: int = 0
    ) -> LabelSets:
        """Return the sets of other images: all labels with p >= λ.

        λ is fixed on the calibration split, so the size here is what it is: ``LabelSets.size``.

        Args:
            scores: ``(N, K)`` as those of the calibration; rows with one that is not finite have no set.
            names: Names of the outputs, to be compared with those of the calibration.
            ties: ``whole`` keeps all scores that equal λ; ``random`` each with probability ``kept_share``, so that the
                expected size on the calibration split is the one asked for.
            seed: Of these draws.

        Raises:
            InputError: The outputs are others.

        Example:
            Scores that are all equal: everything, or as much as was asked for.

            >>> flat = np.full((4000, 10), 0.1, np.float32)
            >>> fitted = fit_average_k(flat, size=2)
            >>> fitted.sets(flat).size, round(fitted.sets(flat, ties="random").size, 1)
            (10.0, 2.0)
        """
        p = as_scores(scores)
        check_outputs(p, self.outputs, self.names, names)
        return at_least(p, self.threshold, ties=ties, kept_share=self.kept_share, seed=seed)


def fit_average_k(scores: ArrayLike, size: float, *, one_of: bool = True, names: Sequence[str] = ()) -> AverageK:
    """Find the threshold λ with which the sets of a calibration split have a given mean size.

    λ is the mean of the k-th and the (k + 1)-th greatest of the n·K scores, k = round(n·size) (Lorieul, Joly and
    Shasha 2021, arXiv 2112.08851, where the optimal average-K classifier thresholds the conditional probabilities; the
    same group's released code for the estimate). For k = n·K it is below every score. Where the middle of two
    neighbouring numbers is not representable, λ is the greater of them, so that exactly k labels are kept. Labels of
    the images are not used.

    The scores are copied once, as by ``numpy.partition``; rows with a score that is not finite cost a second copy.

    Args:
        scores: ``(N, K)``: probabilities of a set of outputs, or the logistic of z - t of yes-or-no attributes; any
            scores that are comparable between images and outputs. Rows with one that is not finite are left out.
        size: Mean number of labels, not necessarily whole: from 1 to K for a set of outputs, from above 0 to K for
            attributes, of which an image may have none.
        one_of: True for a set of outputs that exclude one another, False for attributes.
        names: Names of the outputs, for ``AverageK.sets`` to compare.

    Raises:
        InputError: The size is out of range, no image has finite scores, or k would be 0.

    Example:
        >>> p = np.random.default_rng(0).dirichlet([0.3] * 5, size=400)
        >>> [round(fit_average_k(p, size).threshold, 3) for size in (1, 1.5, 2, 5)]
        [0.399, 0.252, 0.145, -inf]
        >>> fit_average_k(p, 1.5).sets(p).size
        1.5
    """
    p = as_scores(scores)
    K = p.shape[1]
    _check_size(size, K, one_of)
    known = check_names(names, K)
    flat = p.flatten("K")  # copied once, in whatever order it is in memory
    if not len(p) or not (math.isfinite(flat.max()) and math.isfinite(flat.min())):
        del flat
        usable = finite_rows(p)
        if not usable.any():
            raise InputError(f"none of {counted(len(p), 'image')} has finite scores; average-K needs one at least")
        flat = p[usable].reshape(-1)
    m = len(flat)
    n = m // K
    k = min(round(n * size), m)
    if not k:
        raise InputError(
            f"a size of {size:g} is less than one label in {counted(n, 'image')}; ask for at least {1 / n:.2g}"
        )
    value, ties, share = _cut(flat, k)
    return AverageK(value, float(size), k, n, len(p) - n, K, ties, share, known)


def _cut(flat: Floats, k: int) -> tuple[float, int, float]:
    """Find λ, the scores that equal it where it divides equal ones, and the share of these to keep; orders ``flat``."""
    m = len(flat)
    if k == m:
        return -math.inf, 0, 1.0
    flat.partition(m - k)
    above, below = float(flat[m - k]), float(flat[: m - k].max())
    if above > below:
        middle = above / 2 + below / 2
        return middle if middle > below else above, 0, 1.0
    inside = k - _count(flat[m - k :], above)
    outside = _count(flat[: m - k], above, equal=True)
    return above, inside + outside, inside / (inside + outside)


def _count(values: Floats, limit: float, *, equal: bool = False) -> int:
    """Count the values above a limit, or equal to it, in blocks."""
    parts = (values[block] for block in row_blocks(len(values), 1))
    return sum(int(np.count_nonzero(part == limit if equal else part > limit)) for part in parts)


def _check_size(size: float, K: int, one_of: bool) -> None:
    if one_of and not (K >= 2 and 1 <= size <= K):
        raise InputError(
            f"a mean size of {size:g} for a set of {counted(K, 'output')}; expected 1 to {K}, and two outputs at least "
            "(attributes, of which an image may have none, take one_of=False)"
        )
    if not 0 < size <= K:
        raise InputError(f"a mean size of {size:g} for {counted(K, 'attribute')}; expected above 0, at most {K}")
