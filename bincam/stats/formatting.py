"""Numbers as text: the one format of sentences, tables, figures, gate output and commands.

Rules:

- A negative number has a true minus (U+2212); a number that rounds to zero has no sign. Differences always have a sign.
- An estimate is ``value unit [low, high]``: ``57 % [22, 86]``, ``0.31 [0.28, 0.34]``, ``−3.5 points [−6.1, −0.9]``. The
  ends have as many decimals as the value, and its unit. Without an interval there are no brackets.
- A number has two to four decimals: the fewest at which neither the value nor half of its interval's width rounds to
  zero. A percentage is as fine as the share that it stands for, so it has zero to two decimals; within 10 points of 0 %
  or 100 % it has at least one. Exactly 0 % and 100 % need none, and nothing else is rounded to them at two decimals.
- A share is in percent, a difference of shares in percentage points. A narrow no-break space keeps number and unit on
  one line.
- Counts have thousands separators. A p-value has three decimals, or is ``< 0.001``.
- An undefined value is ``undefined`` in a sentence and ``–`` in the cell of a table.

Machine-readable files (JSON, CSV) are not formatted: they contain unrounded numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from bincam.display import MINUS, NONE, UNDEFINED, counted, number
from bincam.stats.estimate import Estimate, is_small

__all__ = [
    "DIFFERENCE",
    "MINUS",
    "NONE",
    "PERCENT",
    "UNDEFINED",
    "Kind",
    "basis",
    "counted",
    "decimals",
    "images",
    "interval",
    "listed",
    "number",
    "p_value",
    "percent",
    "shown",
    "significant",
    "stated",
    "without_interval",
    "written",
]

Kind = Literal["number", "percent", "difference", "points"]
"""``percent``: a share; ``difference``: of two numbers; ``points``: of two shares."""

DIFFERENCE: dict[str, Kind] = {"number": "difference", "percent": "points"}
"""The kind of a difference of two figures of a kind."""

PERCENT = "\u202f%"

_UNITS = {"number": "", "difference": "", "percent": PERCENT, "points": "\u202fpoints"}
_FACTORS = {"number": 1, "difference": 1, "percent": 100, "points": 100}


def significant(value: float, digits: int = 6, *, signed: bool = False) -> str:
    """Write a number with some significant digits, without trailing zeros and without an exponent.

    >>> significant(-0.000032), significant(0.2, signed=True)
    ('−0.000032', '+0.2')
    """
    if not math.isfinite(value):
        return number(value)
    text = f"{Decimal(f'{abs(value):.{digits}g}'):f}"
    return _sign(value, signed) + text if float(text) else text


def percent(share: float, digits: int | None = None) -> str:
    r"""Write a share without an interval in percent, by default with the number of decimals that ``decimals`` gives.

    >>> percent(0.5678), percent(0.0213), percent(1.0)  # the space is U+202F
    ('57\u202f%', '2.1\u202f%', '100\u202f%')
    """
    if not math.isfinite(share):
        return UNDEFINED
    return number(100 * share, decimals(share, kind="percent") if digits is None else digits) + PERCENT


def p_value(p: float) -> str:
    """Write a p-value; ``–`` where it is undefined.

    >>> p_value(0.0234), p_value(0.00001)
    ('0.023', '< 0.001')
    """
    return NONE if not math.isfinite(p) else "< 0.001" if p < 0.001 else number(p, 3)


def p_stated(p: float) -> str:
    """Write a p-value with its relation, for a sentence.

    >>> p_stated(0.0234), p_stated(0.00001)
    ('p = 0.023', 'p < 0.001')
    """
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def decimals(value: float, low: float = math.nan, high: float = math.nan, kind: Kind = "number") -> int:
    """Return the number of decimals of a figure and of the ends of its interval (see the rules of this module).

    >>> decimals(0.5), decimals(0.5, 0.499, 0.503), decimals(0.5, 0.4, 0.6, "percent")
    (2, 3, 0)
    """
    sizes = [abs(value), (high - low) / 2]
    edge = min(value, round(1 - value, 12)) if kind == "percent" else math.nan  # distance from 0 % or 100 %
    smallest = min((size for size in (*sizes, edge) if size > 0 and math.isfinite(size)), default=1.0)
    digits = min(4, max(2, math.ceil(-math.log10(smallest))))
    if _FACTORS[kind] == 1:
        return digits
    return max(digits - 2, 1 if 0 < edge < 0.1 else 0)


def shown(estimate: Estimate, kind: Kind = "number") -> str:
    """Write the value of an estimate with its unit, as finely as its interval requires; ``–`` where it is undefined.

    >>> from bincam.stats.estimate import estimate, undefined
    >>> shown(estimate(0.304, 0.29, 0.32, 250, None, "bootstrap")), shown(undefined("bootstrap"))
    ('0.30', '–')
    """
    return _value(estimate, kind, _decimals(estimate, kind)) if estimate.defined else NONE


def interval(estimate: Estimate, kind: Kind = "number", digits: int | None = None) -> str:
    """Write the interval of an estimate; empty where there is none, or a point: no sample makes a figure certain.

    >>> from bincam.stats.estimate import Estimate, estimate
    >>> interval(estimate(0.57, 0.22, 0.86, 25, None, "wilson"), "percent"), interval(Estimate.of_value(0.5))
    ('[22, 86]', '')
    """
    low, high = estimate.low, estimate.high
    if not estimate.defined or math.isnan(low) or math.isnan(high) or low == high:
        return ""
    digits = _decimals(estimate, kind) if digits is None else digits
    ends = (number(_FACTORS[kind] * end, digits, signed=kind in ("difference", "points")) for end in (low, high))
    return f"[{', '.join(ends)}]"


def written(estimate: Estimate, kind: Kind = "number", digits: int | None = None) -> str:
    """Write an estimate in a sentence, followed by ``(few images)`` or ``(no interval)`` where it is small.

    Args:
        estimate: The estimate.
        kind: Its kind.
        digits: Decimals, in place of those that the interval requires.

    >>> from bincam.stats.estimate import estimate
    >>> written(estimate(-0.304, -0.412, -0.196, 250, None, "bootstrap"), "difference")
    '−0.30 [−0.41, −0.20]'
    >>> print(written(estimate(0.25, 0.07, 0.59, 8, None, "wilson"), "percent"))
    25 % [7, 59] (few images)
    """
    counted_few = bool(is_small(estimate.images, estimate.identities)) or bool(interval(estimate, kind))
    return _full(estimate, kind, digits) + (
        f" ({'few images' if counted_few else 'no interval'})" if estimate.small else ""
    )


def stated(estimate: Estimate, kind: Kind = "number", digits: int | None = None) -> str:
    """Write an estimate with its counts; ``digits`` as in ``written``.

    >>> from bincam.stats.estimate import estimate
    >>> stated(estimate(0.57, 0.42, 0.71, 412, 31, "wilson, design effect"))
    '0.57 [0.42, 0.71] (412 images of 31 people)'
    """
    rests = basis(estimate)
    text = _full(estimate, kind, digits)
    return f"{text} ({rests})" if rests and estimate.defined else text


def basis(estimate: Estimate) -> str:
    """Write the numbers of images and people of an estimate, and if they are too few; empty without images."""
    if not estimate.images:
        return ""
    return images(estimate) + (", too few to rely on" if estimate.small else "") + without_interval(estimate)


def without_interval(estimate: Estimate) -> str:
    """Write why a figure's interval is a point, which is not shown as one; empty for other figures.

    >>> from bincam.stats.estimate import Estimate
    >>> print(without_interval(Estimate(1.0, 1.0, 1.0, 40, None, "ok", "bootstrap")))
    , no interval: all images have the same value
    """
    point = estimate.defined and estimate.images and estimate.low == estimate.high
    return ", no interval: all images have the same value" if point else ""


def images(estimate: Estimate) -> str:
    """Write the number of images of an estimate, and of people where these are known."""
    people = "" if estimate.identities is None else f" of {counted(estimate.identities, 'person', 'people')}"
    return counted(estimate.images, "image") + people


def listed(parts: Sequence[str]) -> str:
    """Join parts of a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def _sign(value: float, signed: bool) -> str:
    return MINUS if value < 0 else "+" if signed else ""


def _decimals(estimate: Estimate, kind: Kind) -> int:
    return decimals(estimate.value, estimate.low, estimate.high, kind)


def _value(estimate: Estimate, kind: Kind, digits: int) -> str:
    return number(_FACTORS[kind] * estimate.value, digits, signed=kind in ("difference", "points")) + _UNITS[kind]


def _full(estimate: Estimate, kind: Kind, digits: int | None = None) -> str:
    if not estimate.defined:
        return UNDEFINED
    digits = _decimals(estimate, kind) if digits is None else digits
    return " ".join(filter(None, (_value(estimate, kind, digits), interval(estimate, kind, digits))))
