"""Other answers from the same cells: the scores of a prediction grid, pooled otherwise than the model pools them.

They ask whether the evidence that a mean lost would have been found by another pooling. The model was trained with its
own, and nothing is trained here: whether a model trained with another pooling would be better is another question,
which ``model.pooling`` of a training configuration answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.decision import check_labels, count_by_score, is_finite, is_positive
from bincam.errors import InputError
from bincam.models.log_odds import set_log_odds
from bincam.models.poolings.cell_pooling import noisy_or_pool, pcam_pool, top_pool
from bincam.models.poolings.pooling import logsumexp_pool, max_pool, mean_pool

_OF_ANY: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": mean_pool,
    "max": max_pool,
    "logsumexp": logsumexp_pool,
    "top_10": partial(top_pool, share=0.1),
    "top_25": partial(top_pool, share=0.25),
}
_OF_LOG_ODDS: dict[str, Callable[[Tensor], Tensor]] = {"noisy_or": noisy_or_pool, "pcam": pcam_pool}
POOLED = (*_OF_ANY, *_OF_LOG_ODDS)
"""Names of the poolings: mean, max, log-sum-exp (sharpness 1), the mean of the best 10 and 25 % of the cells, noisy-or,
and probabilistic CAM pooling; the last two are of yes-or-no attributes."""


def pool_attributes(scores: Tensor) -> dict[str, Tensor]:
    """Pool the cells of yes-or-no attributes in every way.

    Args:
        scores: s, ``(B, A, h, w)``, log-odds; ``PredictionGrid.scores``.

    Returns:
        Name of ``POOLED`` to logits ``(B, A)``. ``mean`` is the model's own logit in the frozen reading of a grid.

    Example:
        One cell of four is sure:

        >>> import torch
        >>> from bincam.postprocessing.cell_pooling import pool_attributes
        >>> pooled = pool_attributes(torch.tensor([[[[8.0, -4.0], [-4.0, -4.0]]]]))
        >>> {name: round(z.item(), 1) for name, z in pooled.items()}
        {'mean': -1.0, 'max': 8.0, 'logsumexp': 6.6, 'top_10': 8.0, 'top_25': 8.0, 'noisy_or': 8.1, 'pcam': 7.4}
    """
    return {name: pool(scores) for name, pool in (_OF_ANY | _OF_LOG_ODDS).items()}


def pool_set(members: Tensor) -> dict[str, Tensor]:
    """Pool the raw scores of the outputs of a set over the cells, each output by itself, and let them compete then.

    Args:
        members: r, ``(B, K, h, w)``; ``PredictionGrid.members`` of a grid whose ``raw`` is True, because other poolings
            than the mean depend on what all outputs of a cell have in common.

    Returns:
        Name to log-odds ``(B, K)``, whose logistic function is the softmax of the pooled scores; without noisy-or and
        probabilistic CAM pooling, which are of yes-or-no attributes.

    Example:
        >>> import torch
        >>> from bincam.postprocessing.cell_pooling import pool_set
        >>> pooled = pool_set(torch.tensor([[[[1.0, 1.0]], [[3.0, -5.0]]]]))
        >>> [name for name, z in pooled.items() if z.argmax(1).item() == 1]
        ['max', 'logsumexp', 'top_10', 'top_25']
    """
    return {name: set_log_odds(pool(members)) for name, pool in _OF_ANY.items()}


@dataclass(frozen=True)
class FittedPoolings:
    """Poolings of one attribute with what a reference split says of them.

    Attributes:
        thresholds: Name to t; of the mean it is the model's own.
        balanced_errors: Name to the balanced error on the reference split, at t; NaN where a class has no image.
        best: Name of the lowest; the mean, and then the order of ``POOLED``, wins between equals. To be judged on other
            images, because the best of several looks better on those that it was chosen on.
    """

    thresholds: dict[str, float]
    balanced_errors: dict[str, float]
    best: str


def fit_poolings(pooled: Mapping[str, ArrayLike], labels: ArrayLike, threshold: float) -> FittedPoolings:
    """Fit the thresholds of all poolings on a reference split, and find the pooling that decides best there.

    Args:
        pooled: Name to logits ``(N,)`` of one attribute, with ``mean``; of ``pool_attributes``.
        labels: ``(N,)``: 1, 0 or NaN.
        threshold: Of the mean.

    Raises:
        InputError: There is no ``mean``, no image with finite logits, or a label that is not 0, 1 or NaN.

    Example:
        >>> import numpy as np
        >>> labels = np.array([1.0, 1.0, 0.0, 0.0])
        >>> pooled = {"mean": [-1.0, 1.0, 2.0, -2.0], "max": [5.0, 6.0, 3.0, 2.0]}
        >>> fitted = fit_poolings(pooled, labels, threshold=0.0)
        >>> fitted.thresholds, fitted.balanced_errors, fitted.best
        ({'mean': 0.0, 'max': 4.0}, {'mean': 0.5, 'max': 0.0}, 'max')
    """
    if "mean" not in pooled:
        raise InputError(f"poolings {', '.join(pooled)}; expected 'mean' among them, at whose rate the others decide")
    y = check_labels(labels)
    scores = {name: np.asarray(values, np.float64) for name, values in pooled.items()}
    usable = ~np.isnan(y) & np.all([is_finite(z) for z in scores.values()], axis=0)
    positives = int(is_positive(scores["mean"][usable], threshold).sum())
    thresholds, errors = {}, {}
    for name, z in scores.items():
        thresholds[name] = threshold if name == "mean" else threshold_at_rate(z[usable], positives)
        wrong = is_positive(z, thresholds[name]) != (y == 1)
        parts = [wrong[usable & (y == label)] for label in (0, 1)]
        errors[name] = float(np.mean([part.mean() for part in parts])) if all(map(len, parts)) else float("nan")
    best = min(scores, key=lambda name: (np.nan_to_num(errors[name], nan=np.inf), name != "mean"))
    return FittedPoolings(thresholds, errors, best)


def threshold_at_rate(logits: ArrayLike, positives: int) -> float:
    """Compute the threshold at which as many images are predicted positive, as nearly as equal scores permit.

    Poolings have different levels: a maximum exceeds the mean everywhere. Each gets the threshold at which it says yes
    as often, on the reference split, as the model's own pooling with its threshold; so they compete in which images.

    Args:
        logits: ``(N,)``; those that are not finite are left out.
        positives: Number of images to predict positive.

    Returns:
        The threshold t, z >= t is positive: the midpoint between neighbouring scores. Of two equally near, the higher.

    Raises:
        InputError: No logit is finite, or the number is not between 0 and that of finite logits.

    Example:
        >>> from bincam.postprocessing.cell_pooling import threshold_at_rate
        >>> threshold_at_rate([0.0, 1.0, 2.0, 4.0], 1)
        3.0
    """
    z = np.asarray(logits, np.float64)
    z = z[is_finite(z)]
    if not len(z) or not 0 <= positives <= len(z):
        raise InputError(f"positives={positives} of {len(z)} images with a finite logit; expected a number of them")
    distinct, counts, _ = count_by_score(z, np.ones(len(z), bool))
    above: NDArray[np.int64] = np.concatenate([counts[::-1].cumsum()[::-1], [0]])  # with each score as the threshold
    k = len(above) - 1 - int(np.abs(above[::-1] - positives).argmin())
    if k == 0:
        return float(distinct[0])
    if k == len(distinct):
        return float(np.nextafter(distinct[-1], np.inf))
    middle = distinct[k - 1] / 2 + distinct[k] / 2
    return float(middle if middle > distinct[k - 1] else distinct[k])
