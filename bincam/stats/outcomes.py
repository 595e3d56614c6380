"""Outcomes of decisions, and the groups of images that they form."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Outcome = Literal["TP", "FP", "FN", "TN"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""The order in which maps are averaged by outcome."""

CELLS = (*OUTCOMES, "P?", "N?")
"""Disjoint cells of an attribute's images: outcomes, and those without a label by what was answered."""

_MEMBERS = {
    "all": CELLS,
    "predicted:positive": ("TP", "FP", "P?"),
    "predicted:negative": ("FN", "TN", "N?"),
    "true:positive": ("TP", "FN"),
    "true:negative": ("FP", "TN"),
    **{f"outcome:{name}": (name,) for name in OUTCOMES},
}
BASIC = tuple(_MEMBERS)
"""Groups that do not depend on which class is the minority."""

GROUPS = (
    "all",
    *(f"{kind}:{part}" for kind in ("predicted", "true") for part in ("positive", "negative", "minority", "majority")),
    *(f"outcome:{name}" for name in OUTCOMES),
)
"""All groups, as they are named in summaries and rules."""

ERROR_RATES = {
    "error": "all",
    "fnr": "true:positive",
    "fpr": "true:negative",
    "minority_error": "true:minority",
    "majority_error": "true:majority",
}
"""Rates that are the share of wrong answers in one group; these have means over attributes, and slices."""

MEMBERSHIP: NDArray[np.float32] = np.array([[cell in _MEMBERS[g] for cell in CELLS] for g in BASIC], np.float32)
"""``(len(BASIC), len(CELLS))``: which cells a group is made of."""


def basic_name(group: str, minority: int) -> str:
    """The group of ``BASIC`` that a group is, for an attribute whose minority class is ``minority`` (+1 or -1)."""
    kind, _, part = group.partition(":")
    if part not in ("minority", "majority"):
        return group
    sign = minority if part == "minority" else -minority
    return f"{kind}:{'positive' if sign > 0 else 'negative'}"


def cells(
    label: NDArray[np.floating], logit: NDArray[np.floating], threshold: NDArray[np.floating]
) -> NDArray[np.int8]:
    """Indices into ``CELLS`` of images ``(N, A)``: a logit at its threshold is positive, one not finite is -1."""
    yes = logit >= threshold
    with_label = np.where(yes, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3))
    cell = np.where(np.isnan(label), np.where(yes, 4, 5), with_label)
    return np.where(np.isfinite(logit), cell, -1).astype(np.int8)
