"""How good label sets are, against the best that is possible.

A label is drawn uniformly among the k shapes of a scene, so sets hold it with probability |set ∩ shapes| / k. Figures
are means of this expectation, not of labels drawn once, which would add noise to all methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bincam import scenes
from bincam.models import AttributeClassifier
from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.label_sets import top_k_sets
from experiments.average_k.campaign import RARE, Sample, SetJob
from experiments.average_k.tasks import set_scores
from experiments.scenes.observed import BATCH, mean_over_pairs
from experiments.scenes.training import TEST_SEED, VALIDATION_SEED, average_precisions, normalised

Floats = NDArray[np.float32]


def figures(job: SetJob, model: AttributeClassifier, sample: Sample) -> dict[str, Any]:
    """Measure a trained job: sets of its scores, and of two heads also those of its softmax."""
    prevalence = RARE if job.rare else None
    calibration, test = (
        scenes.draw(count, seed=seed, size=job.plan.size, prevalence=prevalence)
        for count, seed in ((sample.calibration, VALIDATION_SEED), (sample.test, TEST_SEED))
    )
    fitted, said = scored(model, calibration), scored(model, test)
    return {name: judged(fitted[name], said[name], test.present, sample) for name in said}


def scored(model: AttributeClassifier, drawn: scenes.Scenes) -> dict[str, Floats]:
    """Compute the scores of scenes, ``(N, 10)``, by head."""
    model.eval()
    parts = [set_scores(model, normalised(drawn.images[at : at + BATCH], model)) for at in range(0, len(drawn), BATCH)]
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}


def judged(fitted: Floats, said: Floats, present: NDArray[np.bool_], sample: Sample) -> dict[str, Any]:
    """Judge scores by the label sets that are made of them.

    Args:
        fitted: Of the calibration scenes, ``(M, 10)``.
        said: Of the test scenes, ``(N, 10)``.
        present: Shapes of the test scenes, ``(N, 10)``.
        sample: Sizes of the sets.
    """
    few = np.array([shape in RARE for shape in scenes.SHAPES])
    average = {}
    for K in sample.sizes:
        sets = fit_average_k(fitted, K).sets(said, ties="random")
        average[f"{K:g}"] = {
            **held(sets.members, present),
            "size": sets.size,
            "limit": scenes.best_average_k_accuracy(sets.size, present),
            "limit_at_k": scenes.best_average_k_accuracy(K, present),
            "of_few": coverage(sets.members, present, few),
            "of_others": coverage(sets.members, present, ~few),
            "size_by_shapes": {str(k): float(sets.members[present.sum(1) == k].sum(1).mean()) for k in (3, 4, 5)},
        }
    top = {
        str(k): {**held(top_k_sets(said, k).members, present), "limit": scenes.best_top_k_accuracy(k, present)}
        for k in (int(K) for K in sample.sizes if K % 1 == 0)
    }
    for found in (*average.values(), *top.values()):
        found["gap"] = found["limit"] - found["accuracy"]["value"]
    return {"average_k": average, "top_k": top, "map": float(np.mean(average_precisions(present, said)))}


def held(members: NDArray[np.bool_], present: NDArray[np.bool_]) -> Mapping[str, Any]:
    """Estimate how often sets hold a label that is drawn anew."""
    return {"accuracy": mean_over_pairs((members & present).sum(1) / present.sum(1))}


def coverage(members: NDArray[np.bool_], present: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float | None:
    """Compute the mean over some shapes of how often sets hold the shape where it is the label.

    Scenes count with the probability that the shape is their label. Shapes that no scene shows are left out; None if
    this leaves none.

    >>> present = np.array([[1, 1, 0], [1, 0, 0]], bool)
    >>> coverage(np.array([[1, 0, 0], [0, 1, 0]], bool), present, np.array([True, False, False]))
    0.3333333333333333
    """
    chance = present / present.sum(1, keepdims=True)
    shown = chosen & present.any(0)
    if not shown.any():
        return None
    each = (members * chance).sum(0)[shown] / chance.sum(0)[shown]
    return float(each.mean())
