"""An estimate: a figure with its interval, its counts and its status."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Status = Literal["ok", "small", "undefined"]


Floats = NDArray[np.float64]

LEVEL = 0.95

MIN_IMAGES = 20
"""Below this a cell is small: Wilson's interval of a proportion of 20 images is up to 40 points wide."""

MIN_IDENTITIES = 5
"""Below this a cell is small, however many images these people have."""


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval, and what it rests on.

    Attributes:
        value: NaN where undefined.
        low: Lower end; NaN where there is none.
        high: Upper end.
        images: How many images went in.
        identities: How many people; None where the data does not know them.
        status: ``small`` where there are too few images or identities to rely on it, ``undefined`` where it is NaN.
        method: How the interval was made.
    """

    value: float
    low: float
    high: float
    images: int
    identities: int | None
    status: Status
    method: str

    def to_json(self) -> dict[str, Any]:
        """The fields, None for NaN."""
        return {
            "value": _finite(self.value),
            "low": _finite(self.low),
            "high": _finite(self.high),
            "images": self.images,
            "identities": self.identities,
            "status": self.status,
            "method": self.method,
        }


def estimate(
    value: float,
    low: float,
    high: float,
    images: int,
    identities: int | None,
    method: str,
    *,
    minimum: int = MIN_IMAGES,
) -> Estimate:
    """An estimate whose status follows from its counts.

    Args:
        value: The figure.
        low: Lower end.
        high: Upper end.
        images: How many images it rests on.
        identities: How many people, or None.
        method: How the interval was made.
        minimum: Fewer images than this are small.
    """
    value, low, high = float(value), float(low), float(high)
    status: Status = "ok"
    if not math.isfinite(value):
        value, low, high, status = math.nan, math.nan, math.nan, "undefined"
    elif is_small(images, identities, minimum):
        status = "small"
    return Estimate(value, low, high, int(images), None if identities is None else int(identities), status, method)


def is_small(images: ArrayLike, identities: ArrayLike | None, minimum: int = MIN_IMAGES) -> NDArray[np.bool_]:
    """Whether cells have too few images or people to rely on, any shape; None where people are not known."""
    few = np.asarray(images) < minimum
    return few if identities is None else few | (np.asarray(identities) < MIN_IDENTITIES)


def undefined(method: str, images: int = 0, identities: int | None = None) -> Estimate:
    """The estimate of what has no value."""
    return Estimate(math.nan, math.nan, math.nan, images, identities, "undefined", method)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
