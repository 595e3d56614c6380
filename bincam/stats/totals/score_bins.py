"""Bins of scores: their values in half precision, whatever the scores' range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bincam.stats.estimate import Floats

BINS = 1 << 16
"""As many bins as half precision has bit patterns."""

LARGEST = 65504.0
"""The greatest number in half precision; scores beyond it fall into its bin."""

_SIGN = 0x8000


def score_bins(scores: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return the bins of scores, any shape, so that a greater score never has a lower bin.

    Scores in a bin differ by at most one part in 1,024, so that equal bins are rarely anything but equal answers.

    Args:
        scores: Finite scores; the bin of others means nothing.

    >>> bins = score_bins(np.array([-2.0, -0.0, 0.0, 1.0, 1.0001, 1e9], np.float32))
    >>> (np.diff(bins) > 0).tolist()
    [True, False, True, False, True]
    """
    half = np.clip(np.asarray(scores, np.float32), -LARGEST, LARGEST)
    bits = (half + np.float32(0.0)).astype(np.float16).view(np.uint16).astype(np.int32)
    return np.where(bits & _SIGN, 2 * _SIGN - 1 - bits, bits + _SIGN)


def bin_scores() -> Floats:
    """Return the score of every bin, ``(BINS,)``, ascending; NaN for patterns that are no numbers.

    >>> values = bin_scores()
    >>> float(values[score_bins(np.array(1.0))])
    1.0
    """
    bins = np.arange(BINS)
    bits = np.where(bins >= _SIGN, bins - _SIGN, 2 * _SIGN - 1 - bins).astype(np.uint16)
    values = bits.view(np.float16).astype(float)
    return np.where(np.isfinite(values), values, np.nan)
