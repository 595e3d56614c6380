"""Person-level error rates of an audit, beside its image-level ones."""

from __future__ import annotations

import numpy as np

from bincam.audit.summary.panel import Panel
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.outcomes import ERROR_RATES
from bincam.stats.rates.person_level import person_rates

PERSON_RATES = (*(f"person_{name}" for name in ERROR_RATES), "ever_wrong", "always_wrong")
"""Mean over people of their own error rates, and the shares of people with an error, and with nothing but errors."""


def people_of(panel: Panel, a: int, level: float = LEVEL) -> dict[str, Estimate]:
    """Estimate the rates of ``PERSON_RATES`` of attribute ``a``; undefined where the data names no people."""
    wrong = panel.wrong[:, a]
    every = person_rates(wrong, panel.clusters, level)
    rates = {
        f"person_{name}": every.mean
        if group == "all"
        else person_rates(np.where(panel.member(group)[:, a], wrong, np.nan), panel.clusters, level).mean
        for name, group in ERROR_RATES.items()
    }
    return {**rates, "ever_wrong": every.ever, "always_wrong": every.always}
