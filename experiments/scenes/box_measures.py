"""Boxes of maps, beside what they must beat: one threshold for all shapes, the shape taken as known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam import scenes
from bincam.metrics import (
    BoxColumns,
    ConstantBoxes,
    best_level,
    box_columns,
    box_summary,
    clean_overlaps,
    clean_scores,
    fit_constant_boxes,
    pixel_histograms,
    pxap_estimate,
)
from bincam.metrics.localization.boxes.overlaps import Truth
from bincam.models import AttributeClassifier
from bincam.stats import Clusters
from experiments.scenes.observed import Observed

SHAPES = len(scenes.SHAPES)
HISTOGRAM = np.arange(200) / 200  # cuts of PxAP; a thousand change its fourth digit
_FLAT = ("cam", "centred", "constant", "projected", "reach", "status", "one", "several", "projected_one")


def maps_of(seen: Observed, model: AttributeClassifier) -> Mapping[str, Tensor]:
    """Return the maps that are boxed.

    Returns:
        ``evidence``: S, what the network's logit is made of; with maximum pooling it is zero in cells that are the
        maximum of no feature. ``cells``: the head applied to every cell, without its bias, which is the class
        activation map of the source for any pooling. With mean pooling both have the same boxes, and there is only
        the first.
    """
    network: Any = model.network
    bias = network.head.bias.detach()[:, None, None]
    maps = {"evidence": seen.evidence}
    return maps if seen.grid.decomposes else {**maps, "cells": seen.grid.scores - bias}


def true_boxes(drawn: scenes.Scenes) -> Truth:
    """The box of every shape of each scene, ``(0, 4)`` where it is not shown."""
    return [
        [drawn.boxes[n, a : a + 1] if drawn.present[n, a] else np.zeros((0, 4)) for a in range(SHAPES)]
        for n in range(len(drawn))
    ]


def box_figures(
    test: Observed, validation: Observed, model: AttributeClassifier, count: int
) -> dict[str, dict[str, Any]]:
    """Measure the boxes of the first scenes of a test, with a threshold and constant boxes from validation."""
    size = (int(test.drawn.parts.shape[1]), int(test.drawn.parts.shape[2]))
    truth = true_boxes(validation.drawn)
    boxes = fit_constant_boxes([[row[a] for row in truth] for a in range(SHAPES)], size)
    reference, own = maps_of(validation, model), maps_of(test, model)
    return {
        name: _of_maps(own[name][:count], reference[name], (test.drawn, validation.drawn), boxes, size) for name in own
    }


def _of_maps(
    maps: Tensor,
    reference: Tensor,
    drawn: tuple[scenes.Scenes, scenes.Scenes],
    boxes: ConstantBoxes,
    size: tuple[int, int],
) -> dict[str, Any]:
    scored, held = drawn
    n = len(maps)
    level = best_level(clean_overlaps(reference, true_boxes(held), size))
    masks = [[scored.parts[i] == a + 1 if scored.present[i, a] else None for a in range(SHAPES)] for i in range(n)]
    columns = box_columns(maps, true_boxes(scored)[:n], size, masks=masks, fitted=boxes)
    clusters = Clusters.of([str(i) for i in range(n) for _ in range(SHAPES)])
    found = box_summary(_as_one(columns), 0, clusters, chosen_level=level).to_json()
    counts = [_histogram(maps[i : i + 1], scored, i, size) for i in range(n)]
    found["pxap"] = pxap_estimate(np.stack(counts), Clusters.of([""] * n)).to_json()
    shown = [(scored.parts[:n] == a + 1).mean((1, 2))[scored.present[:n, a]] for a in range(SHAPES)]
    return {**found, "pxap_by_chance": float(np.concatenate(shown).mean()), "scenes": n}


def _as_one(columns: BoxColumns) -> BoxColumns:
    """Take the shapes of all images as one attribute, so that one threshold serves them all."""

    def flat(values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(-1, 1, *values.shape[2:])

    whole = columns.on_masks
    if whole is not None:
        whole = replace(whole, **{one.name: flat(getattr(whole, one.name)) for one in fields(whole)})
    return replace(columns, on_masks=whole, **{name: flat(getattr(columns, name)) for name in _FLAT})


def _histogram(maps: Tensor, drawn: scenes.Scenes, row: int, size: tuple[int, int]) -> NDArray[np.int64]:
    """Pixels of all shapes in one image, each scored by its own map."""
    shown = np.flatnonzero(drawn.present[row])
    pixels = clean_scores(maps[:, torch.from_numpy(shown)], size)[0]
    parts = [pixel_histograms(pixels[i], drawn.parts[row] == a + 1, thresholds=HISTOGRAM) for i, a in enumerate(shown)]
    return np.asarray(np.sum(parts, 0), np.int64)
