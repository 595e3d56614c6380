"""Shares as frequencies, such as ``20 of 100``, which readers untrained in statistics understand best.

Gigerenzer and Hoffrage (Psychological Review 1995) measured it for conditional probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

BASES = (100, 1_000, 10_000)


def base_of(shares: Sequence[float]) -> int:
    """Choose how many cases the shares are told of: the fewest at which no two that differ look alike.

    >>> base_of([0.2, 0.64]), base_of([0.2, 0.204]), base_of([0.12, 0.002])
    (100, 1000, 100)
    """
    known = [share for share in shares if math.isfinite(share)]
    for base in BASES:
        if len({count_of(share, base) for share in known}) == len({round(share, 6) for share in known}):
            return base
    return BASES[-1]


def count_of(share: float, base: int) -> str:
    """Write a share as a number of cases.

    >>> count_of(0.0004, 1000), count_of(0.0, 100), count_of(0.204, 1000)
    ('fewer than 1', '0', '204')
    """
    if 0 < share < 0.5 / base:
        return "fewer than 1"
    return f"{round(base * share):,}"


def frequency(share: float) -> str:
    """Write one share as a frequency.

    >>> frequency(0.534), frequency(0.0031)
    ('53 of 100', '3 of 1,000')
    """
    base = next((base for base in BASES if share in (0, 1) or 0 < round(base * share) < base), BASES[-1])
    return f"{count_of(share, base)} of {base:,}"


def instead(now: float, before: float) -> str:
    """Write a share and the one that it replaces.

    >>> instead(0.2, 0.64)
    '20 of 100 cases instead of 64'
    """
    base = base_of([now, before])
    return f"{count_of(now, base)} of {base:,} cases instead of {count_of(before, base)}"
