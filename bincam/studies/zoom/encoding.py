"""Results of statistics as JSON values: dataclasses as objects, estimates as every summary writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from bincam.stats.estimate import Estimate


def encoded(value: Any) -> Any:
    """Convert a result to JSON values; NaN is None.

    >>> from bincam.stats.estimate import estimate
    >>> encoded({"share": estimate(0.5, 0.4, 0.6, 30, None, "wilson"), "views": (0, 2)})["views"]
    [0, 2]
    """
    if isinstance(value, Estimate):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encoded(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): encoded(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list, np.ndarray)):
        return [encoded(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
