"""Outcomes of decisions, and the groups of images that they form."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import is_finite, is_positive

Outcome = Literal["TP", "FP", "FN", "TN"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""All outcomes, in the order of an audit's mean maps."""

CELLS = (*OUTCOMES, "P?", "N?")
"""Disjoint cells of an attribute's images: the outcomes, and images without a label by the predicted class."""

MEMBERS = {
    "all": CELLS,
    "predicted:positive": ("TP", "FP", "P?"),
    "predicted:negative": ("FN", "TN", "N?"),
    "true:positive": ("TP", "FN"),
    "true:negative": ("FP", "TN"),
    **{f"outcome:{name}": (name,) for name in OUTCOMES},
}
"""Groups of images, and the cells that make up each."""

BASIC = tuple(MEMBERS)
"""Groups that do not depend on which class is the minority."""

GROUPS = (
    "all",
    *(f"{kind}:{part}" for kind in ("predicted", "true") for part in ("positive", "negative", "minority", "majority")),
    *(f"outcome:{name}" for name in OUTCOMES),
)
"""All groups, by their names in summaries and rules."""

ERROR_RATES = {
    "error": "all",
    "fnr": "true:positive",
    "fpr": "true:negative",
    "minority_error": "true:minority",
    "majority_error": "true:majority",
}
"""Rates that are the share of misclassified images of one group; these have means over attributes, and slices."""

MEMBERSHIP: NDArray[np.float32] = np.array([[cell in MEMBERS[g] for cell in CELLS] for g in BASIC], np.float32)
"""``(len(BASIC), len(CELLS))``: 1 where a cell belongs to a group."""


def class_sign(part: str, minority: int) -> int:
    """Return the side of a class: +1 or -1.

    Args:
        part: ``positive``, ``negative``, ``minority`` or ``majority``.
        minority: Side of the minority class, +1 or -1.

    >>> class_sign("majority", minority=1), class_sign("positive", minority=-1)
    (-1, 1)
    """
    return {"positive": 1, "negative": -1, "minority": minority, "majority": -minority}[part]


def class_name(sign: int) -> str:
    """Name a side: ``positive`` or ``negative``.

    >>> class_name(-1)
    'negative'
    """
    return "positive" if sign > 0 else "negative"


def class_part(sign: int, minority: int) -> str:
    """Name a side by the frequency of its class: ``minority`` or ``majority``.

    >>> class_part(-1, minority=1)
    'majority'
    """
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

    An infinite logit has overflowed, and is no score. Takes numpy arrays and torch tensors.

    >>> is_usable(np.array([1, np.nan, 0]), np.array([0.3, 0.3, np.inf]))
    array([ True, False, False])
    """
    return is_finite(logit) & (label == label)  # noqa: PLR0124  # NaN


def outcome_codes(label: Any, logit: Any, threshold: Any, positive: Any = None) -> Any:
    """Compute the outcomes of decisions, as indices into ``OUTCOMES``.

    Args:
        label: ``(..., A)``: 1, 0 or NaN; a numpy array or a torch tensor.
        logit: ``(..., A)``, of the same kind.
        threshold: Broadcast against the logits; a logit at its threshold is positive.
        positive: The decisions ``(..., A)``, booleans, where not the threshold decides but a set of outputs does.

    Returns:
        Integers ``(..., A)`` of the same kind; -1 where the label is NaN or the logit is not finite.

    >>> codes = outcome_codes(np.array([1, 0, 1, np.nan]), np.array([0.5, 0.5, 0.2, 0.2]), 0.5)
    >>> [OUTCOMES[code] if code >= 0 else None for code in codes]
    ['TP', 'FP', 'FN', None]
    """
    decided = is_positive(logit, threshold) if positive is None else positive
    code = ~decided * 2 + ~(label > 0)
    return (code + 1) * is_usable(label, logit) - 1


def cells(
    label: NDArray[np.floating],
    logit: NDArray[np.floating],
    threshold: NDArray[np.floating],
    positive: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Compute indices into ``CELLS`` of images ``(N, A)``; -1 where the logit is not finite.

    The arguments are those of ``outcome_codes``.

    >>> label, logit = np.array([[1], [np.nan], [0]]), np.array([[0.5], [0.5], [np.nan]])
    >>> [CELLS[code] if code >= 0 else None for code in cells(label, logit, np.zeros(1))[:, 0]]
    ['TP', 'P?', None]
    """
    decided = is_positive(logit, threshold) if positive is None else positive
    unlabelled = np.where(decided, CELLS.index("P?"), CELLS.index("N?"))
    cell = np.where(np.isnan(label), unlabelled, outcome_codes(label, logit, threshold, decided))
    return np.where(is_finite(logit), cell, -1).astype(np.int8)


def answers(logit: NDArray[np.floating], threshold: ArrayLike) -> NDArray[np.int8]:
    """Compute the predicted sides ``(...)``: +1 or -1; 0 where the logit or its threshold is not finite.

    >>> answers(np.array([0.5, 0.2, np.nan]), 0.5)
    array([ 1, -1,  0], dtype=int8)
    """
    limit = np.asarray(threshold)
    side = np.where(is_positive(logit, limit), 1, -1)
    return np.where(is_finite(logit) & is_finite(limit), side, 0).astype(np.int8)
