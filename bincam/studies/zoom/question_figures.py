"""The figures of one question: accuracies and oracles, sensitivity, cover, positional bias and the scale it needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.inference.zoom.geometry import Places
from bincam.inference.zoom.plan import Plan
from bincam.stats.clusters import Clusters
from bincam.stats.framing.answers import Bools, Codes, Ints, rightness
from bincam.stats.framing.any_view import oracles
from bincam.stats.framing.averages import mean, share
from bincam.stats.framing.cover import greedy_cover
from bincam.stats.framing.positions import Measure, positions_centred, positions_visible
from bincam.stats.framing.scales import needed_scale
from bincam.stats.framing.sensitivity import framing_sensitivity
from bincam.studies.zoom.question import Question

COVER = 8
"""Views of a greedy cover at most."""

MEASURES: tuple[Measure, ...] = ("accuracy", "any")


def question_figures(
    question: Question,
    answers: Codes,
    true: Ints,
    own: Codes,
    plan: Plan,
    places: Places,
    visible: Bools,
    clusters: Clusters,
    seen: Bools | None,
) -> dict[str, Any]:
    """Compute the figures of one question, as values for ``encoded``.

    Args:
        question: The question.
        answers: ``(N, V)``.
        true: ``(N,)``.
        own: ``(N,)``: answers at the model's own crop.
        plan: The plan.
        places: Where the views lie.
        visible: ``(N, V, 3, 3)``: ``places.visible_anchors()``, which all questions share.
        clusters: Clusters of the N images.
        seen: ``(N, V)``: whether the object's centre is visible; None where no object is known.
    """
    right = rightness(answers, true)
    strict = places.strict
    one_crop = None if plan.one_crop is None else answers[:, plan.one_crop]
    found = oracles(answers, true, clusters, count=len(question.rare), plain=one_crop)
    sensitivity = framing_sensitivity(answers, true, question.rare, clusters)
    cover = greedy_cover(right, clusters, limit=COVER)
    scales = needed_scale(right, places.scale, plan.sizes, clusters)
    of_object = None if seen is None else needed_scale(right, places.scale, plan.sizes, clusters, seen=seen)
    return {
        "outputs": question.outputs,
        "columns": question.columns,
        "answers": question.answers_named,
        "rare": question.rare,
        "labelled": int((true >= 0).sum()),
        "undefined_own": int((own[true >= 0] < 0).sum()),
        "own_crop": share(rightness(own, true), clusters),
        "one_crop": found.plain if one_crop is not None else None,
        "oracles": found,
        "sensitivity": sensitivity,
        "cover": cover,
        "positions": {
            "centred": {
                measure: positions_centred(right, places.anchors, strict, clusters, measure=measure)
                for measure in MEASURES
            },
            "visible": {
                measure: positions_visible(right, visible, strict, clusters, measure=measure) for measure in MEASURES
            },
        },
        "not_strict": mean(_mean_over(right, ~strict), clusters),
        "scales": scales,
        "scales_of_object": of_object,
        "hard": int(hard_images(answers, true).sum()),
        "own_wrong_some_right": int(((own != true) & (own >= 0) & (true >= 0) & (right == 1).any(1)).sum()),
    }


def _mean_over(right: NDArray[np.float32], member: Bools) -> NDArray[np.float32]:
    """The share of right views among some of each image's, ``(N,)``; NaN where there is none with an answer."""
    usable = member & np.isfinite(right)
    with np.errstate(invalid="ignore"):
        of_image: NDArray[np.float32] = np.where(usable, right, 0).sum(1) / usable.sum(1)
    return of_image


def hard_images(answers: Codes, true: Ints) -> Bools:
    """Find the images that no view gets right, though some view answers: ``(N, V)`` and ``(N,)`` to ``(N,)``.

    >>> hard_images(np.array([[0, 0], [0, 1], [-1, -1]]), np.array([1, 1, 1])).tolist()
    [True, False, False]
    """
    known = (true >= 0) & (answers >= 0).any(1)
    return np.asarray(known & (answers != true[:, None]).all(1))
