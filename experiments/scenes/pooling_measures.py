"""Poolings of the same cells, at the size of objects in training and at others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam import scenes
from bincam.postprocessing.cell_pooling import fit_poolings, pool_attributes, threshold_at_rate
from experiments.scenes.cell_measures import cell_figures
from experiments.scenes.observed import Observed, mean_over_pairs
from experiments.scenes.training import average_precisions

OWN = "own"
"""The network's logit, whatever it pools by."""
Logits = Mapping[str, NDArray[Any]]


def poolings_of(seen: Observed) -> Logits:
    """Logits ``(N, 10)`` by name: the network's own, and its cells pooled in every way, without training for it."""
    return {OWN: seen.grid.logits.numpy(), **{k: v.numpy() for k, v in pool_attributes(seen.grid.scores).items()}}


def fitted_thresholds(seen: Observed) -> dict[str, list[float]]:
    """Fit thresholds on validation scenes.

    Returns:
        Name to ten thresholds: of the network's own logit such that it says yes as often as is true, of every other
        pooling at the positive rate of the cells' mean at *its* threshold of this kind.
    """
    pooled = poolings_of(seen)
    shown = seen.drawn.present
    found: dict[str, list[float]] = {name: [] for name in pooled}
    for a in range(shown.shape[1]):
        positives = int(shown[:, a].sum())
        found[OWN].append(threshold_at_rate(pooled[OWN][:, a], positives))
        rest = {name: z[:, a] for name, z in pooled.items() if name != OWN}
        fitted = fit_poolings(rest, shown[:, a], threshold_at_rate(rest["mean"], positives))
        for name, value in fitted.thresholds.items():
            found[name].append(value)
    return found


def pooling_figures(seen: Observed, thresholds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Measure every pooling on scenes with thresholds from others: ranking, misses, false alarms, balanced error."""
    shown = seen.drawn.present
    figures = {}
    for name, z in poolings_of(seen).items():
        yes = z >= np.asarray(thresholds[name])
        misses = np.where(shown, ~yes, np.nan)
        alarms = np.where(shown, np.nan, yes)
        figures[name] = {
            "map": float(np.mean(average_precisions(shown, z))),
            "miss": mean_over_pairs(misses),
            "false_alarm": mean_over_pairs(alarms),
            "balanced_error": float((np.nanmean(misses, 0) + np.nanmean(alarms, 0)).mean() / 2),
        }
    zero = seen.grid.logits.numpy() >= 0
    figures[OWN]["miss_at_zero"] = mean_over_pairs(np.where(shown, ~zero, np.nan))
    figures[OWN]["false_alarm_at_zero"] = mean_over_pairs(np.where(shown, np.nan, zero))
    return figures


def at_size(scale: float, seen: Observed, thresholds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Measure poolings and cells on scenes whose objects all have one size."""
    cells = cell_figures(seen, single=False)
    kept = [
        *("recovery", "chance", "false_alarm", "inside", "outside", "foreground", "fallback"),
        *("recovery_of_errors", "recoverable", "missed"),
    ]
    area = np.where(seen.drawn.present, seen.masks.sum((2, 3)).numpy() / float(seen.total.sum()), np.nan)
    return {
        "scale": scale,
        "area": float(np.nanmean(area)),
        "poolings": pooling_figures(seen, thresholds),
        "cells": {name: cells[name] for name in kept},
    }


def sized_scenes(scale: float, count: int, size: int, seed: int) -> scenes.Scenes:
    """Draw scenes whose objects all have one size."""
    return scenes.draw(count, seed=seed, rule="all", size=size, scale=scale)
