"""Correlation, over attributes, of the imbalance of training labels and the evidence in the majority class's maps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.summarize import column_of
from bincam.compare.paired_differences import COLUMNS, Contrasted
from bincam.compare.pairs.paired import Paired
from bincam.stats.estimate import LEVEL

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit


EXACT = 8
"""With at most so many attributes the p-value is computed from all orders: 40,320 of eight."""

FEW = 10
"""With fewer attributes the interval is so wide, and so dependent on its assumptions, that the status is small."""


def correlations(
    first: Audit, pair: Paired, contrasted: Mapping[str, Contrasted], level: float = LEVEL
) -> dict[str, dict[str, Any]]:
    """Compute Spearman's ρ, over attributes, of imbalance in training and measures of the majority class's maps.

    Imbalance is the majority's share of the training labels. The interval (Bonett and Wright 2000) assumes independent
    attributes, which they are not.

    Args:
        first: The first audit, whose training counts define imbalance.
        pair: The records of both audits.
        contrasted: Attribute to its comparison.
        level: Confidence level.

    Returns:
        Column to ``{"unbalanced": ..., "balanced": ...}``, of the means over images that a model predicts as the
        majority class, each with ``rho``, ``low``, ``high``, ``status``, ``p``, ``test`` (``exact`` or ``t``) and
        ``attributes``.
    """
    counts = np.array([first.manifest.train_counts[name] for name in pair.attributes], float)
    with np.errstate(invalid="ignore"):
        imbalance = counts.max(1) / counts.sum(1)
    columns = [f"{m}.{name}" for m in pair.methods for name in ("energy", "gain", "published_energy", "empty")]
    result = {}
    for column in [*columns, column_of("bias_share", pair.methods)]:
        if column not in pair.columns:
            continue
        result[column] = {
            COLUMNS[m]: spearman(
                imbalance,
                np.array([entry.measures[column]["predicted:majority"][m].value for entry in contrasted.values()]),
                level,
            )
            for m in (0, 2)
        }
    return result


def spearman(x: NDArray[np.floating], y: NDArray[np.floating], level: float = LEVEL) -> dict[str, Any]:
    """Compute Spearman's ρ of the pairs that are defined, with Bonett and Wright's interval; None where undefined.

    With fewer than four pairs it is undefined; a ρ of 1 or -1 has no interval. The p-value of up to ``EXACT`` pairs is
    that of all orders, which Student's t only approximates.

    >>> found = spearman(np.arange(4.0), np.array([0.1, 0.2, 0.3, 0.4]))
    >>> found["rho"], round(found["p"], 4), found["test"]  # 2 of 24 orders are as extreme
    (1.0, 0.0833, 'exact')
    """
    from scipy import stats

    both = np.isfinite(x) & np.isfinite(y)
    n = int(both.sum())
    undefined = {"rho": None, "low": None, "high": None, "status": "undefined", "p": None, "test": "", "attributes": n}
    if n < 4 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return undefined
    result = stats.spearmanr(x[both], y[both])
    rho, p = float(np.clip(result.statistic, -1, 1)), float(result.pvalue)
    if n <= EXACT:
        p = _exact_p(stats.rankdata(x[both]), stats.rankdata(y[both]))
    width = stats.norm.ppf((1 + level) / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    # The same order twice is no certainty: an interval of a single point would claim it.
    perfect = abs(rho) > 1 - 1e-12
    low, high = (None, None) if perfect else np.tanh(np.arctanh(rho) + width * np.array([-1, 1])).tolist()
    return {
        "rho": rho,
        "low": low,
        "high": high,
        "status": "small" if n < FEW else "ok",
        "p": p,
        "test": "exact" if n <= EXACT else "t",
        "attributes": n,
    }


def _exact_p(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return the share of all orders of the ranks ``(n,)`` with a |ρ| that is at least as great."""
    x, y = x - x.mean(), y - y.mean()
    orders = np.array(list(permutations(range(len(y)))))
    return float((np.abs(y[orders] @ x) >= abs(y @ x) - 1e-9).mean())
