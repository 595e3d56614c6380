"""What a job measures of the maps of one method and layer, counted from each reference.

All maps are evidence for an attribute (side *positive*). Figures are means over pairs of image and attribute that the
image has, with intervals clustered by person; differences from the reference zero are of the same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from bincam.cam import Explainer, Explanation
from bincam.cam.explained import joined
from bincam.cam.reference import ReferenceFit
from bincam.metrics import deletion, insertion, region_measures, road
from bincam.metrics.specificity.attribute_marks import Specificity, attribute_specificity
from bincam.metrics.specificity.competitors import (
    competing,
    label_correlations,
    region_excess,
    region_overlaps,
    region_shares,
)
from bincam.references import FITTED_FOR_MAPS
from bincam.resample import project
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from experiments.truth.own_maps.campaign import DEFAULT, Job
from experiments.truth.own_maps.worlds import World

Array = NDArray[Any]
BATCH, STEPS, FRACTIONS, PAIRS = 25, 5, (0.2, 0.6), 2


def measure(job: Job, world: World) -> dict[str, Any]:
    """Measure a job: the layer, and by reference its figures and its differences from zero."""
    explainer = Explainer(world.model, method=job.method, layer=job.module())
    drawn = explained(explainer, world.images)
    counted = dict(against(explainer, world, drawn, job))
    people = Clusters.of(world.people)
    weights = {kind: weights_of(masks, drawn) for kind, masks in world.masks.items()}
    figures: dict[str, Any] = {}
    zero: Mapping[str, Array] = {}
    for name, explanation in counted.items():
        followed = job.followed if name == "zero" or (job.method, job.layer) == DEFAULT else 0
        pairs = figures_per_pair(explainer, world, explanation, weights, followed)
        zero = zero or pairs
        found = specificity(world, explanation, weights["object"])
        figures[name] = {
            **{measure: pooled(values, world.people) for measure, values in pairs.items()},
            "less_zero": {measure: pooled(pairs[measure] - zero[measure], world.people) for measure in pairs},
            "likeness": likeness(explanation),
            "regions": verdicts(found, "region"),
            **({"own_share": own_shares(found)} if name == "zero" else {}),
        }
    return {
        "layer": drawn.layer,
        "complete": drawn.complete,
        "grid": list(drawn.maps.shape[-2:]),
        "images": len(world.images),
        "people": people.count,
        "references": figures,
    }


def explained(explainer: Explainer, images: Tensor) -> Explanation:
    """Explain images for the positive side."""
    parts = [explainer(images[at : at + BATCH], "positive") for at in range(0, len(images), BATCH)]
    return joined(parts)


def against(explainer: Explainer, world: World, drawn: Explanation, job: Job) -> Any:
    """Yield the references of a job with the explanation counted from each."""
    fit = ReferenceFit(world.names)
    if len(job.references) > 1:
        fit.add(explained(explainer, world.fitted).maps, world.fitted_labels)
    for name in job.references:
        if name in FITTED_FOR_MAPS:
            reference = replace(fit.result(name), method=drawn.method, layer=drawn.layer)
            yield name, drawn.against(reference)
        else:
            yield name, drawn.against(name)


def weights_of(masks: Array, drawn: Explanation) -> Array:
    """Project masks ``(N, A, H, W)`` to the grid; NaN where a mask has no pixel."""
    grid = (drawn.maps.shape[-2], drawn.maps.shape[-1])
    shape = masks.shape[:2]
    weights = np.full((*shape, *grid), np.nan, np.float32)
    there = masks.any((2, 3))
    weights[there] = project(masks[there].astype(np.float64), grid)
    return weights


def whole(drawn: Explanation) -> Array:
    """The weight of each cell in the whole image."""
    return np.asarray(project(np.ones(drawn.image_size), (drawn.maps.shape[-2], drawn.maps.shape[-1])))


def figures_per_pair(
    explainer: Explainer, world: World, explanation: Explanation, weights: Mapping[str, Array], followed: int
) -> dict[str, Array]:
    """Compute each figure of ``judging.BETTER``, ``(N, A)``; NaN outside of its pairs."""
    maps, total = explanation.maps.double(), whole(explanation)
    labels = world.labels.numpy()
    objects = weights["object"]
    competitors = competing(region_overlaps(objects / total), label_correlations(labels))
    shares = region_shares(maps.numpy(), np.nan_to_num(objects, nan=np.nan), total)
    found = {"region_excess": region_excess(shares, labels, competitors)}
    for kind, figure in (("object", "energy"), ("influence", "influence")):
        if kind in weights:
            measured = region_measures(maps, torch.from_numpy(weights[kind]).double(), torch.from_numpy(total))
            excess = (measured.energy - measured.area).numpy()
            found[figure] = np.where(labels == 1, excess, np.nan)
    return {**found, **followed_figures(explainer, world, explanation, followed)}


def followed_figures(explainer: Explainer, world: World, explanation: Explanation, followed: int) -> dict[str, Array]:
    """Follow the maps of some attributes that images have and that the model finds, ``(N, A)`` each."""
    found = {name: np.full(tuple(explanation.logits.shape), np.nan) for name in ("deletion", "insertion", "road")}
    random = np.random.default_rng(0)
    candidates = (world.labels.numpy() == 1) & world.known["object"] & (explanation.logits.numpy() >= 0)
    rows = np.flatnonzero(candidates.sum(1) >= PAIRS)
    for row in np.sort(random.permutation(rows)[:followed]).tolist():
        columns = random.choice(np.flatnonzero(candidates[row]), PAIRS, replace=False)
        names = [world.names[column] for column in columns]
        image, of_image = world.images[row : row + 1], explanation.rows(slice(row, row + 1))
        found["deletion"][row, columns] = deletion(explainer, image, of_image, names, steps=STEPS).area[0].numpy()
        found["insertion"][row, columns] = insertion(explainer, image, of_image, names, steps=STEPS).area[0].numpy()
        scores = road(explainer, image, of_image, names, fractions=FRACTIONS).score
        found["road"][row, columns] = scores[0].numpy()
    return found


def likeness(explanation: Explanation) -> float | None:
    """The mean |Spearman| of maps of two attributes of the same image, over all pairs."""
    flat = explanation.maps.flatten(2).double().numpy()
    ranks = rankdata(flat, axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    size = np.sqrt(np.square(ranks).sum(-1, keepdims=True))
    with np.errstate(invalid="ignore"):
        unit = ranks / np.where(size > 0, size, np.nan)  # a constant map has no ranks
    others = ~np.eye(flat.shape[1], dtype=bool)
    mean = float(np.nanmean(np.abs(unit @ unit.transpose(0, 2, 1))[:, others]))
    return round(mean, 4) if np.isfinite(mean) else None


def specificity(world: World, explanation: Explanation, weights: Array) -> Specificity:
    """Judge if each attribute's map is its own."""
    return attribute_specificity(
        explanation.maps.double().numpy(),
        world.labels.numpy(),
        world.names,
        identities=world.people,
        weights=weights,
        total=whole(explanation),
        differences=explanation.reference != "zero",  # own share is that of zero, or there is none
    )


def verdicts(found: Specificity, part: str) -> dict[str, int]:
    """Count the verdicts of one part over the attributes."""
    given = [getattr(one, part).verdict for one in found.attributes.values()]
    return {verdict: given.count(verdict) for verdict in ("pass", "fail", "cannot tell")}


def own_shares(found: Specificity) -> dict[str, Any]:
    """The mean own share of attributes, the null's, and the verdicts."""
    shares = [one.own_share.value for one in found.attributes.values() if one.own_share.defined]
    nulls = [one.null for one in found.attributes.values()]
    mean = {"mean": float(np.mean(shares)), "null": float(np.mean(nulls))} if shares else {"mean": None, "null": None}
    return {**mean, "attributes": len(shares), **verdicts(found, "share")}


def pooled(values: Array, names: list[str]) -> dict[str, Any]:
    """Estimate the mean over pairs ``(N, A)``, clustered by person; None without a value."""
    pairs = np.isfinite(values)
    counts = {"images": int(pairs.any(1).sum()), "pairs": int(pairs.sum())}
    if not counts["pairs"]:
        return {"value": None, "low": None, "high": None, "status": "undefined", **counts}
    rows, columns = np.nonzero(pairs)
    clusters = Clusters.of([names[row] for row in rows])
    found = overall_means(values[rows, columns][:, None], clusters, (-1.0, 1.0)).estimate(0, 0).to_json()
    return {**{name: found[name] for name in ("value", "low", "high", "status")}, **counts}
