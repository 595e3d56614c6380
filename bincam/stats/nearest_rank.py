"""Nearest ranks: which of some sorted images stand for a close, a typical and a clear case."""

from __future__ import annotations

import math

PERCENTILES = (10, 50, 90)


def nearest_ranks(count: int) -> list[int]:
    """Return the positions at the 10th, 50th and 90th percentile of ``count`` sorted values, each once.

    >>> nearest_ranks(30), nearest_ranks(2), nearest_ranks(0)
    ([2, 14, 26], [0, 1], [])
    """
    places = [max(math.ceil(percent / 100 * count) - 1, 0) for percent in PERCENTILES] if count else []
    return list(dict.fromkeys(places))
