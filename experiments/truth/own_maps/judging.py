"""Which reference is chosen on one world and seed, and whether the others confirm it; the rule was fixed beforehand.

Chosen is the reference whose maps at the page's default method have the highest own region, among those that are no
worse than zero in energy on the object and in ROAD: the interval of the paired difference is not wholly on the worse
side. It is confirmed if on every other world and seed its own region exceeds that of zero (the interval of the paired
difference is above 0) and it is no worse there either. Otherwise zero remains the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEADLINE, KEPT = "region_excess", ("energy", "road")
BETTER = {"region_excess": 1, "energy": 1, "influence": 1, "deletion": -1, "insertion": 1, "road": 1}
"""The figures per pair, and whether more of them is better."""


def is_worse(difference: Mapping[str, Any], measure: str) -> bool:
    """Decide if the interval of a difference from zero is wholly on the worse side; not where it is undefined.

    >>> is_worse({"low": -0.3, "high": -0.1}, "road"), is_worse({"low": -0.3, "high": 0.1}, "road")
    (True, False)
    >>> is_worse({"low": None, "high": None}, "road")
    False
    """
    if difference["low"] is None:
        return False
    return bool(difference["high"] < 0 if BETTER[measure] > 0 else difference["low"] > 0)


def is_better(difference: Mapping[str, Any], measure: str) -> bool:
    """Decide likewise if it is wholly on the better side.

    >>> is_better({"low": -0.3, "high": -0.1}, "deletion"), is_better({"low": None, "high": None}, "deletion")
    (True, False)
    """
    if difference["low"] is None:
        return False
    return bool(difference["low"] > 0 if BETTER[measure] > 0 else difference["high"] < 0)


def chosen(references: Mapping[str, Any]) -> str:
    """Choose a reference from the figures of one job; ``zero`` if no other is better and as good elsewhere."""
    best, most = "zero", references["zero"][HEADLINE]["value"]
    for name, figures in references.items():
        value = figures[HEADLINE]["value"]
        kept = not any(is_worse(figures["less_zero"][measure], measure) for measure in KEPT)
        if name != "zero" and kept and value is not None and (most is None or value > most):
            best, most = name, value
    return best


def confirmations(name: str, others: Sequence[Mapping[str, Any]]) -> list[dict[str, bool]]:
    """Say of each other world and seed if the chosen reference is better there, and what it is worse in."""
    found = []
    for references in others:
        less = references[name]["less_zero"]
        worse = {measure: is_worse(less[measure], measure) for measure in KEPT}
        found.append({"better": is_better(less[HEADLINE], HEADLINE), **worse})
    return found
