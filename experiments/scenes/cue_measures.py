"""Planted cues: does a network decide by them, and does its evidence lie on them?

The test scenes have the cues in half of all scenes, whatever is shown, so that shape and cue are told apart. A cell
sees more than its square, so evidence for the mark also lies beside it: *near* is what is within half the field that a
cell of stride 8 sees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from bincam import scenes
from bincam.metrics import region_measures
from bincam.models import AttributeClassifier
from bincam.resample import project
from bincam.stats import Clusters, ranking
from experiments.scenes.campaign import CUED
from experiments.scenes.network import FIELD
from experiments.scenes.observed import Observed, mean_over_pairs, observe


def cue_figures(model: AttributeClassifier, count: int, size: int, seed: int) -> dict[str, Any]:
    """Measure a network on scenes in which the cues tell nothing."""
    drawn = scenes.draw(count, seed=seed, rule="all", size=size, shortcut=dict.fromkeys(CUED, 0.5))
    seen = observe(model, drawn)
    return {cued: _of_cue(seen, *cued.split(":")) for cued in CUED}


def near(masks: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Mark all pixels within so many, along either axis, of a mask ``(N, H, W)``.

    >>> near(np.array([[[False, False, False, True]]]), 1).tolist()
    [[[False, False, True, True]]]
    """
    result = masks.copy()
    for axis in (1, 2):
        result = maximum_filter1d(result.astype(np.uint8), 2 * pixels + 1, axis, mode="constant").astype(bool)
    return result


def _of_cue(seen: Observed, cue: str, shape: str) -> dict[str, Any]:
    column = scenes.SHAPES.index(shape)
    z = seen.grid.logits[:, column].numpy()
    shown, cued = seen.drawn.present[:, column], seen.drawn.cues[cue]
    yes = (z >= 0).astype(float)
    figures: dict[str, Any] = {
        "yes": {
            f"{'shape' if s else 'no shape'}, {'cue' if c else 'no cue'}": mean_over_pairs(
                np.where((shown == s) & (cued == c), yes, np.nan)
            )
            for s in (True, False)
            for c in (True, False)
        }
    }
    auroc, precision = ranking(z, shown.astype(float), Clusters.of([""] * len(z)))
    figures["auroc"], figures["ap"] = auroc.to_json(), precision.to_json()
    maps = seen.evidence[:, column : column + 1]
    on = {"object": seen.masks[:, column : column + 1]}
    if cue == "mark":
        marks = seen.drawn.masks("mark")
        for name, masks in {"mark": marks, "near": near(marks, FIELD // 2)}.items():
            on[name] = torch.from_numpy(project(masks, seen.grid.shape)).float()[:, None]
    for name, weights in on.items():
        measured = region_measures(maps, weights, seen.total)
        for values, what in ((measured.energy, "energy"), (measured.area, "area")):
            x = values[:, 0].numpy()
            for c in (True, False):
                if name in ("mark", "near") and not c:
                    continue
                where = shown & (cued == c)
                figures[f"{what} on {name}, {'cue' if c else 'no cue'}"] = mean_over_pairs(np.where(where, x, np.nan))
    return figures
