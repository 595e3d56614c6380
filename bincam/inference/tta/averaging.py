"""The mean of probabilities over views: the cheap control beside every method that changes the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from bincam.decision import is_positive
from bincam.errors import InputError
from bincam.inference.prediction import Predictions
from bincam.models.card import Card
from bincam.models.heads import probability
from bincam.models.log_odds import decide
from bincam.one_of import yes_or_no

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Averaged:
    """Means of N images' probabilities over views, and the decisions that follow.

    Attributes:
        probability: ``(N, A)``; NaN where no view has a decision.
        positive: ``(N, A)``: yes-or-no where the mean is at least the probability of the threshold; of a set, the
            output with the highest mean.
        undefined: ``(N, A)``: no view has a decision.
        left_out: ``(A,)``: number of views without a decision, over all images; they are left out of the means.

    Example:
        >>> import numpy as np
        >>> from bincam.inference import Predictions, mean_probability
        >>> from bincam.models import make_card
        >>> card = make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(224, 224))
        >>> z = np.array([[[np.nan], [0.0]]], np.float32)
        >>> averaged = mean_probability(Predictions(("Bald",), z, z >= 0, np.isnan(z), np.array([[9, 9]])), card)
        >>> averaged.probability, averaged.left_out
        (array([[0.5]]), array([1]))
    """

    probability: Floats
    positive: Bools
    undefined: Bools
    left_out: NDArray[np.int64]


def mean_probability(predictions: Predictions, card: Card, views: Sequence[int] | None = None) -> Averaged:
    """Average the probabilities of views.

    Probabilities are σ(z), within a set the softmax, and of a margin head (z + 1)/2. Their mean is compared with the
    probability of the threshold, so that one view alone is decided as it decides itself.

    Args:
        predictions: Of V views.
        card: Card of the model.
        views: Indices of the views that are averaged; all by default.

    Raises:
        InputError: No view is named, or one that is not there.

    Example:
        >>> import numpy as np
        >>> from bincam.inference import Predictions, mean_probability
        >>> from bincam.models import make_card
        >>> card = make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(224, 224))
        >>> z = np.array([[[-1.0], [3.0]]], np.float32)
        >>> result = mean_probability(Predictions(("Bald",), z, z >= 0, z != z, np.array([[224, 224]])), card)
        >>> result.probability.round(3), result.positive
        (array([[0.611]]), array([[ True]]))
    """
    N, V, A = predictions.logits.shape
    chosen = _chosen(views, V)
    sums = _Sums(*np.zeros((2, N, A)))
    for view in chosen:  # so that no second array of images × views × outputs is made
        sums = sums.plus(predictions, view, card)
    mean = sums.mean
    left_out = predictions.undefined[:, chosen].sum((0, 1))
    return Averaged(mean, decisions(mean, card), sums.count == 0, left_out)


@dataclass(frozen=True)
class _Sums:
    """Sums ``(N, A)`` of probabilities over views with a decision, and the numbers of these views."""

    total: Floats
    count: Floats

    @property
    def mean(self) -> Floats:
        """NaN where no view has a decision."""
        with np.errstate(invalid="ignore"):
            return self.total / self.count

    def plus(self, predictions: Predictions, view: int, card: Card) -> _Sums:
        known = ~predictions.undefined[:, view]
        p = probabilities(predictions.logits[:, view], card)
        return _Sums(self.total + np.where(known, p, 0), self.count + known)


def probabilities(logits: NDArray[np.floating], card: Card) -> Floats:
    """Convert logits, any shape, to probabilities as the card's head means them, in float64."""
    return np.asarray(probability(torch.from_numpy(np.asarray(logits, np.float64)), card.head).numpy())


def decisions(probability_of: Floats, card: Card) -> Bools:
    """Decide probabilities ``(N, A)``: at least that of the threshold; of a set, the highest, the first of equals."""
    limits = probabilities(np.array([card.thresholds.get(name, 0.0) for name in card.attributes]), card)
    positive = np.asarray(is_positive(probability_of, limits))
    if card.one_of:
        of_sets = decide(torch.from_numpy(probability_of), card.set_columns).numpy()
        in_sets = [column for columns in card.set_columns.values() for column in columns]
        positive[:, in_sets] = of_sets[:, in_sets]
    return positive


def choose_views(predictions: Predictions, labels: ArrayLike, card: Card, count: int) -> tuple[int, ...]:
    """Choose views whose mean probability is most accurate, on images that are not judged afterwards.

    Views are added one at a time, each time the one with which the mean of probabilities is right most often, over
    yes-or-no attributes and sets alike; of equals the one with the higher mean log-likelihood, then the first. *Ours*.

    Args:
        predictions: Of the reference split.
        labels: ``(N, A)``: 1, 0 or NaN; of a set one 1 in every row.
        card: Card of the model.
        count: Number of views k, at least 1.

    Returns:
        Indices of k views, in the order in which they were added.

    Raises:
        InputError: k is not from 1 to V, or the labels have another shape.

    Example:
        The second view is right, the others are not:

        >>> import numpy as np
        >>> from bincam.inference import Predictions, choose_views
        >>> from bincam.models import make_card
        >>> card = make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(224, 224))
        >>> z = np.array([[[-1.0], [2.0], [-2.0]]] * 4, np.float32)
        >>> seen = Predictions(("Bald",), z, z >= 0, z != z, np.full((4, 2), 224))
        >>> choose_views(seen, np.ones((4, 1)), card, 1)
        (1,)
    """
    y = np.asarray(labels, np.float64)
    N, V, A = predictions.logits.shape
    if y.shape != (N, A):
        raise InputError(f"expected labels {(N, A)} of the predictions' images and outputs, got {y.shape}")
    if not 1 <= count <= V:
        raise InputError(f"k={count} views cannot be chosen from {V}; expected 1 to {V}")
    chosen: list[int] = []
    sums = _Sums(*np.zeros((2, N, A)))
    for _ in range(count):
        others = [view for view in range(V) if view not in chosen]
        merits = {view: _merit(sums.plus(predictions, view, card).mean, y, card) for view in others}
        chosen.append(max(others, key=merits.__getitem__))  # the first of equals
        sums = sums.plus(predictions, chosen[-1], card)
    return tuple(chosen)


def _merit(mean: Floats, y: Floats, card: Card) -> tuple[float, float]:
    """The share of right decisions and the mean log-likelihood; what is undefined is wrong and has none."""
    positive = decisions(mean, card)
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = np.log(np.maximum(np.where(y > 0, mean, 1 - mean), np.finfo(float).tiny))
    right, fit = [], []
    for column in yes_or_no(card.attributes, card.one_of):
        known = ~np.isnan(y[:, column])
        answered = ~np.isnan(mean[:, column])
        right.append(((positive[:, column] == (y[:, column] > 0)) & answered)[known])
        fit.append(likelihood[known & answered, column])
    for columns in card.set_columns.values():
        true = y[:, list(columns)] == 1
        right.append((positive[:, list(columns)] & true).any(1)[true.any(1)])
        fit.append(likelihood[:, list(columns)][true & ~np.isnan(mean[:, list(columns)])])
    accuracy, likely = (np.concatenate(parts) if parts else np.zeros(0) for parts in (right, fit))
    return (float(accuracy.mean()) if len(accuracy) else 0.0, float(likely.mean()) if len(likely) else -np.inf)


def _chosen(views: Sequence[int] | None, count: int) -> list[int]:
    chosen = list(range(count)) if views is None else [int(view) for view in views]
    wrong = [view for view in chosen if not 0 <= view < count]
    if wrong or not chosen:
        raise InputError(
            f"views {chosen} of {count}: expected at least one index from 0 to {count - 1}"
            + (f", got {wrong[0]}" if wrong else "")
        )
    if len(set(chosen)) < len(chosen):
        raise InputError(f"views {chosen} are averaged, and one is named twice; name each once")
    return chosen
