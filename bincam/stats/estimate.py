"""Estimates: a value with its interval, counts and status. Statistics make them; rules and reports read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Status = Literal["ok", "small", "undefined"]
Floats = NDArray[np.float64]

LEVEL = 0.95

MIN_IMAGES = 20
"""A cell with fewer images is small: Wilson's interval of a proportion of 20 images is up to 40 points wide."""

MIN_IDENTITIES = 5
"""A cell with fewer clusters is small, however many images they have."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, and the numbers of images and clusters that it rests on.

    Attributes:
        value: NaN where undefined.
        low: Lower end; NaN where there is none.
        high: Upper end.
        images: Number of images.
        identities: Number of clusters (people); None where the data names none.
        status: ``small`` where there are too few images or clusters to rely on it, ``undefined`` where it is NaN.
        method: The method of the interval.

    Example:
        >>> error = Estimate(0.25, 0.13, 0.42, images=30, identities=None, status="ok", method="wilson")
        >>> error.scaled(100).value, error.defined, error.small
        (25.0, True, False)
        >>> Estimate.from_json(error.to_json()) == error
        True
    """

    value: float
    low: float
    high: float
    images: int
    identities: int | None
    status: Status
    method: str

    @property
    def defined(self) -> bool:
        """True where there is a value."""
        return math.isfinite(self.value)

    @property
    def small(self) -> bool:
        """True where the cell is too small to rely on."""
        return self.status == "small"

    def scaled(self, factor: float) -> Estimate:
        """Return the same estimate in another unit, such as percent with a factor of 100."""
        return replace(self, value=self.value * factor, low=self.low * factor, high=self.high * factor)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any] | None) -> Estimate:
        """Read an estimate as ``to_json`` writes it; None, and an entry without a value, are undefined.

        Args:
            entry: An entry of ``summary.json`` or ``contrast.json``; other keys are ignored.
        """
        if not entry:
            return undefined("")
        figures = (entry.get(key) for key in ("value", "low", "high"))
        value, low, high = (math.nan if figure is None else float(figure) for figure in figures)
        status: Status = "undefined" if math.isnan(value) else entry.get("status", "ok")
        images, identities = int(entry.get("images") or 0), entry.get("identities")
        return cls(value, low, high, images, identities, status, str(entry.get("method") or ""))

    @classmethod
    def of_value(cls, value: float, method: str = "no interval") -> Estimate:
        """Return a value without an interval and without counts; undefined where it is NaN."""
        return cls(value, math.nan, math.nan, 0, None, "ok" if math.isfinite(value) else "undefined", method)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object: None for NaN."""
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
    """Make an estimate, whose status follows from its counts.

    Args:
        value: NaN or infinite where it is undefined.
        low: Lower end.
        high: Upper end.
        images: Number of images it rests on.
        identities: Number of clusters, or None.
        method: The method of the interval.
        minimum: With fewer images the estimate is small.

    >>> estimate(0.25, 0.07, 0.59, images=8, identities=None, method="wilson").status
    'small'
    """
    value, low, high = float(value), float(low), float(high)
    status: Status = "ok"
    if not math.isfinite(value):
        value, low, high, status = math.nan, math.nan, math.nan, "undefined"
    elif is_small(images, identities, minimum):
        status = "small"
    return Estimate(value, low, high, int(images), None if identities is None else int(identities), status, method)


def is_small(images: ArrayLike, identities: ArrayLike | None, minimum: int = MIN_IMAGES) -> NDArray[np.bool_]:
    """Find cells with too few images or clusters to rely on, any shape; ``identities`` is None without identities."""
    few = np.asarray(images) < minimum
    return few if identities is None else few | (np.asarray(identities) < MIN_IDENTITIES)


def undefined(method: str, images: int = 0, identities: int | None = None) -> Estimate:
    """Return an undefined estimate, with the counts that it would rest on."""
    return Estimate(math.nan, math.nan, math.nan, images, identities, "undefined", method)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
