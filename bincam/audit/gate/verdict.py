"""The verdict on one estimate: its whole interval keeps or breaks a bound, or the evidence is insufficient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES, Estimate, is_small
from bincam.stats.formatting import counted, images, significant

Verdict = Literal["pass", "fail", "insufficient", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def decide(sign: str, bound: float, estimate: Estimate, entry: Mapping[str, Any], few: str = "") -> tuple[Verdict, str]:
    """Decide if an estimate keeps a bound, and why not.

    Args:
        sign: ``<=``, ``<``, ``>=`` or ``>``.
        bound: The number that the estimate is to keep.
        estimate: The estimate.
        entry: Its entry in the summary, which may state a ``reason``.
        few: Which part of its images is too small, see ``few_in_a_part``; empty if none is.

    Returns:
        The verdict and its reason, which is empty for ``pass``.

    >>> from bincam.stats.estimate import estimate
    >>> decide("<=", 0.2, estimate(0.31, 0.24, 0.39, 150, None, "wilson"), {})
    ('fail', 'the whole interval breaks <= 0.2')
    >>> decide("<=", 0.2, estimate(0.1, 0.02, 0.4, 10, None, "wilson"), {})
    ('insufficient', 'too few: 10 images; at least 20 are needed')
    """
    if not estimate.defined and entry.get("reason"):
        return ("insufficient" if entry.get("too_few") else "error"), entry["reason"]
    if not estimate.images:
        reason = "no image to measure it on: none of this class, no region, or no map with positive evidence"
        return "insufficient", reason
    if not estimate.defined:
        return "error", f"undefined on all of {counted(estimate.images, 'image')}"
    if estimate.small and (reason := _small(estimate, entry, few)):
        return "insufficient", reason
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return "insufficient", f"no interval from {images(estimate)}, such as where all have the same value"
    if estimate.small:
        return "insufficient", f"too few in a part of {images(estimate)}"
    if estimate.low == estimate.high:
        # Values that are all equal, or resamples that never vary, as in summaries of earlier versions.
        return "insufficient", "the interval is a point, so the figure's error is not known"
    kept = [_holds(end, sign, bound) for end in (estimate.low, estimate.high)]
    if all(kept):
        return "pass", ""
    if not any(kept):
        return "fail", f"the whole interval breaks {sign} {significant(bound)}"
    return "insufficient", f"the interval contains {significant(bound)}"


def _small(estimate: Estimate, entry: Mapping[str, Any], few: str) -> str:
    """Why a small estimate rests on too few images; empty if it has no interval for another reason."""
    if entry.get("small_attributes"):
        number = f"{entry['small_attributes']} of {counted(entry['attributes'], 'attribute')}"
        return f"too few images, or no interval, in {number}"
    if entry.get("reason"):
        return str(entry["reason"])
    if not few and is_small(estimate.images, estimate.identities):
        return f"too few: {images(estimate)}; {needed(estimate)}"
    return few


def needed(estimate: Estimate) -> str:
    """Write how many images, and people where they are known, an estimate needs.

    >>> needed(Estimate(0.5, 0.1, 0.9, 12, 3, "small", "wilson"))
    'at least 20 of 5 people are needed'
    """
    people = "" if estimate.identities is None else f" of {MIN_IDENTITIES} people"
    return f"at least {MIN_IMAGES}{people} are needed"


def _holds(value: float, sign: str, bound: float) -> bool:
    return {"<=": value <= bound, "<": value < bound, ">=": value >= bound, ">": value > bound}[sign]
