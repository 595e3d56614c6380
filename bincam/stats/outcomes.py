"""Outcomes of decisions, and the groups of images that they form."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import is_finite, is_positive

Outcome = Literal["TP", "FP", "FN", "TN"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""The order in which maps are averaged by outcome."""

CELLS = (*OUTCOMES, "P?", "N?")
"""Disjoint cells of an attribute's images: outcomes, and those without a label by what was answered."""

MEMBERS = {
    "all": CELLS,
    "predicted:positive": ("TP", "FP", "P?"),
    "predicted:negative": ("FN", "TN", "N?"),
    "true:positive": ("TP", "FN"),
    "true:negative": ("FP", "TN"),
    **{f"outcome:{name}": (name,) for name in OUTCOMES},
}
"""Groups and the cells that they are made of."""

BASIC = tuple(MEMBERS)
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

MEMBERSHIP: NDArray[np.float32] = np.array([[cell in MEMBERS[g] for cell in CELLS] for g in BASIC], np.float32)
"""``(len(BASIC), len(CELLS))``: which cells a group is made of."""


def class_sign(part: str, minority: int) -> int:
    """Return the side of a class: +1 or -1.

    Args:
        part: ``positive``, ``negative``, ``minority`` or ``majority``.
        minority: Side of the minority class, +1 or -1.
    """
    return {"positive": 1, "negative": -1, "minority": minority, "majority": -minority}[part]


def class_name(sign: int) -> str:
    """Name a side: ``positive`` or ``negative``."""
    return "positive" if sign > 0 else "negative"


def class_part(sign: int, minority: int) -> str:
    """Name a side by how frequent its class is: ``minority`` or ``majority``."""
    return "minority" if sign == minority else "majority"


def basic_name(group: str, minority: int) -> str:
    """Name a group of ``GROUPS`` as one of ``BASIC``, for an attribute whose minority class is ``minority``.

    >>> basic_name("true:minority", -1)
    'true:negative'
    """
    kind, _, part = group.partition(":")
    return f"{kind}:{class_name(class_sign(part, minority))}" if part in ("minority", "majority") else group


def basic_rate(rate: str, minority: int) -> str:
    """Name a class's error by its side: ``fnr`` for positives, ``fpr`` for negatives; other rates keep their names.

    >>> basic_rate("minority_error", 1)
    'fnr'
    """
    part = rate.removesuffix("_error")
    return ("fnr" if class_sign(part, minority) > 0 else "fpr") if part in ("minority", "majority") else rate


def is_usable(label: Any, logit: Any) -> Any:
    """Find the images that every rate, curve and calibration rests on: the label is known and the logit is finite.

    Numpy arrays and torch tensors alike; an infinite logit has overflowed and says nothing about a score.
    """
    return is_finite(logit) & (label == label)  # noqa: PLR0124  # NaN


def outcome_codes(label: Any, logit: Any, threshold: Any) -> Any:
    """Compute the outcomes of decisions, as indices into ``OUTCOMES``.

    Args:
        label: ``(..., A)``: 1, 0 or NaN; a numpy array or a torch tensor.
        logit: ``(..., A)``, of the same kind.
        threshold: Broadcast against the logits; a logit at its threshold is positive.

    Returns:
        Integers ``(..., A)`` of the same kind; -1 where the label is NaN or the logit is not finite.
    """
    code = ~is_positive(logit, threshold) * 2 + ~(label > 0)
    return (code + 1) * is_usable(label, logit) - 1


def cells(
    label: NDArray[np.floating], logit: NDArray[np.floating], threshold: NDArray[np.floating]
) -> NDArray[np.int8]:
    """Compute indices into ``CELLS`` of images ``(N, A)``; -1 where the logit is not finite."""
    unlabelled = np.where(is_positive(logit, threshold), CELLS.index("P?"), CELLS.index("N?"))
    cell = np.where(np.isnan(label), unlabelled, outcome_codes(label, logit, threshold))
    return np.where(is_finite(logit), cell, -1).astype(np.int8)


def answers(logit: NDArray[np.floating], threshold: ArrayLike) -> NDArray[np.int8]:
    """Compute the predicted sides ``(...)``: +1 or -1; 0 where the logit or its threshold is not finite."""
    limit = np.asarray(threshold)
    side = np.where(is_positive(logit, limit), 1, -1)
    return np.where(is_finite(logit) & is_finite(limit), side, 0).astype(np.int8)
