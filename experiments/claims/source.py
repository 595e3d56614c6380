"""Figures of arXiv 2403.14435, by class: computed from its table of 40 attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from bincam.compare.imbalance_correlation import spearman
from bincam.compare.published import published
from experiments.claims.measures import CLASSES
from experiments.contrast.findings import ARMS

LITTLE = 0.05
NAMES = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM"}


def side_of(row: Mapping[str, float], side: str) -> str:
    """Return which class is an attribute's majority or minority, as the source's columns name it.

    >>> side_of({"train_positive_rate": 0.9}, "majority")
    'pos'
    """
    return "pos" if (row["train_positive_rate"] > 0.5) == (side == "majority") else "neg"


def energy(row: Mapping[str, float], method: str, arm: str, side: str) -> float:
    """Return an attribute's energy where a class is predicted."""
    return row[f"{method}_energy_{arm}_pred_{side_of(row, side)}"]


def majority_share(row: Mapping[str, float]) -> float:
    """Return the majority's share of the training labels."""
    return max(row["train_positive_rate"], 1 - row["train_positive_rate"])


@cache
def figures() -> Mapping[str, float]:
    """Compute the figures that the claims quote: means over the 40 attributes, unless they are named otherwise.

    >>> round(figures()["majority error, unbalanced"], 3)
    0.044
    """
    rows = list(published().values())

    def mean(of: Callable[[Mapping[str, float]], float]) -> float:
        return float(np.mean([of(row) for row in rows]))

    found: dict[str, float] = {}
    for arm in ARMS:
        for side in CLASSES:

            def rate(row: Mapping[str, float], arm: str = arm, side: str = side) -> float:
                return row[f"{arm}_{'fnr' if side_of(row, side) == 'pos' else 'fpr'}"]

            found[f"{side} error, {arm}"] = mean(rate)
            for key, name in NAMES.items():

                def share(row: Mapping[str, float], key: str = key, arm: str = arm, side: str = side) -> float:
                    return energy(row, key, arm, side)

                found[f"{name}, {side}, {arm}"] = mean(share)
    majority = np.array([energy(row, "gradcam", "unbalanced", "majority") for row in rows])
    found["attributes with a majority energy under .05, Grad-CAM, unbalanced"] = float((majority < LITTLE).mean())
    rho: Any = spearman(np.array([majority_share(row) for row in rows]), majority)["rho"]
    found["ρ of imbalance and energy, Grad-CAM, unbalanced"] = float(rho)
    return found
