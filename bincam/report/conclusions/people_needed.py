"""How many people, or images where no people are known, an interval of a given width would need."""

from __future__ import annotations

import math
from collections.abc import Callable

from bincam.stats.estimate import Estimate
from bincam.stats.intervals import wilson

FEWEST, MOST = 1e-3, 1e9
"""Fewer and more independent images than these are called impossible."""


def units(estimate: Estimate) -> int:
    """Return the number of people behind an estimate; of images where no people are known."""
    return estimate.images if estimate.identities is None else estimate.identities


def needed_for(estimate: Estimate, width: float) -> int | None:
    """Estimate how many people a share's interval would need to be of some width, if the share stays what it is.

    The interval is Wilson's. Its present width tells how many independent images the people are worth; the number of
    people grows in proportion, whatever images each of them has. So it holds for further people like these, and more
    images of the same people count for less.

    Args:
        estimate: A share with its interval.
        width: The wanted width of the interval.

    Returns:
        The number of people in all; None where the estimate has no interval, or no number would do.

    Example:
        Half the width takes about four times as many; close to 0 fewer, because that interval is no longer symmetric:

        >>> from bincam.stats.estimate import estimate
        >>> from bincam.stats.intervals import wilson
        >>> half, none = (estimate(p, *map(float, wilson(p, 50)), 50, 50, "wilson") for p in (0.5, 0.0))
        >>> needed_for(half, (half.high - half.low) / 2), needed_for(none, (none.high - none.low) / 2)
        (212, 104)
    """
    now = estimate.high - estimate.low
    if not estimate.defined or not now > 0 or not width > 0 or not units(estimate):
        return None
    before, after = _count(estimate.value, now), _count(estimate.value, width)
    if before is None or after is None:
        return None
    return math.ceil(round(units(estimate) * after / before, 6))


def more_for_half(estimate: Estimate) -> int | None:
    """Estimate how many more people would make a share's interval half as wide; see ``needed_for``."""
    wanted = needed_for(estimate, (estimate.high - estimate.low) / 2)
    return None if wanted is None else wanted - units(estimate)


def needed_to_decide(estimate: Estimate, bound: float) -> int | None:
    """Estimate how many people it takes until a share's interval no longer contains a bound; see ``needed_for``.

    >>> from bincam.stats.estimate import estimate
    >>> from bincam.stats.intervals import wilson
    >>> one = estimate(0.12, *map(float, wilson(0.12, 50)), 50, 50, "wilson")
    >>> one.low < 0.2 < one.high, needed_to_decide(one, 0.2)
    (True, 97)
    """
    if not estimate.defined or not estimate.low <= bound <= estimate.high:
        return None
    side = 1 if bound > estimate.value else 0
    now = _count(estimate.value, estimate.high - estimate.low)
    if now is None or estimate.value == bound or not units(estimate):
        return None
    wanted = _crossing(lambda count: _ends(estimate.value, count)[side] - bound, now)
    return None if wanted is None else math.ceil(round(units(estimate) * wanted / now, 6))


def _ends(share: float, count: float) -> tuple[float, float]:
    low, high = wilson(share, count)
    return float(low), float(high)


def _count(share: float, width: float) -> float | None:
    """Return the number of independent images of which Wilson's interval has a width; None where there is none."""

    def excess(count: float) -> float:
        low, high = _ends(share, count)
        return high - low - width

    return _crossing(excess, FEWEST)


def _crossing(difference: Callable[[float], float], least: float) -> float | None:
    """Return the number of images, ``least`` to ``MOST``, at which a difference changes its sign; None without one."""
    from scipy.optimize import brentq

    ends = [difference(least), difference(MOST)]
    if ends[0] == 0:
        return least
    if ends[0] * ends[1] > 0:
        return None
    return math.exp(brentq(lambda log: difference(math.exp(log)), math.log(least), math.log(MOST), xtol=1e-13))
