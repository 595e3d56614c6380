"""Predictions over a plan of views: logits and decisions of images × views × outputs, and of a blank frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from bincam.errors import InputError
from bincam.inference.borrowed_classifier import borrowed, classifier_of, device_and_type, shape_in_a_line
from bincam.inference.zoom.batches import Source, normalised, view_batches
from bincam.inference.zoom.plan import Plan
from bincam.models.borrowing.one_image import check_one_image
from bincam.models.card import Card
from bincam.models.classifier import AttributeClassifier, ScoringClassifier
from bincam.models.log_odds import decide, log_odds

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """What a model says of N images at V views each, for its A outputs.

    Attributes:
        outputs: Names of the outputs.
        logits: ``(N, V, A)`` float32; of outputs in sets, log-odds.
        positive: ``(N, V, A)``: decisions of each view: z >= t, and of a set the output with the highest raw score.
        undefined: ``(N, V, A)``: views without a decision, because a logit, or a raw score of the output's set, is NaN
            or infinite; such a view is neither right nor wrong.
        sizes: ``(N, 2)``: H and W of every image, or of the square of its face crop, for ``places_of``.

    Example:
        >>> z = np.array([[[0.5], [np.nan]]], np.float32)  # one image, two views, one output
        >>> Predictions(("Bald",), z, z >= 0, np.isnan(z), np.array([[375, 500]])).undefined_views
        {'Bald': 1}
    """

    outputs: tuple[str, ...]
    logits: NDArray[np.float32]
    positive: Bools
    undefined: Bools
    sizes: NDArray[np.int64]

    @property
    def undefined_views(self) -> dict[str, int]:
        """Number of views without a decision, of each output that has some."""
        counts = self.undefined.sum((0, 1))
        return {name: int(count) for name, count in zip(self.outputs, counts, strict=True) if count}


def predict(
    model: nn.Module,
    images: Iterable[Source],
    plan: Plan,
    *,
    landmarks: Iterable[ArrayLike] | None = None,
    batch_size: int = 64,
    check: bool = True,
) -> Predictions:
    """Run a model on all views of images. The cost is images × views forward passes.

    Every image is decoded once, its views fill batches with those of the next images, and memory beside the result is
    that of one image and one batch. Sets of outputs of which exactly one is true are decided in each view, by raw
    scores. The model is borrowed: modes, buffers, gradients and random state are restored, also after errors.

    Args:
        model: An ``AttributeClassifier``.
        images: Files, or decoded images ``(H, W, 3)`` uint8; ``bincam.progress.track`` around them shows a bar.
        plan: The plan, of the card's input size.
        landmarks: ``(5, 2)`` of every image, for a model that reads face crops.
        batch_size: Views per batch.
        check: Check first that the model's output for an image depends neither on chance nor on the rest of the batch.
            False only where it is known, as in the second of many calls.

    Raises:
        InputError: The model has no card, an image cannot be read, there is none, or the plan is of another input size.
        UnsupportedError: The output is not a function of one image.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> from bincam.inference import predict, view_plan
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(32, 32))
        >>> photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
        >>> predict(model, [photo], view_plan([(32, 1, 1), (64, 0, 2)], (32, 32))).logits.shape
        (1, 2, 2)
    """
    classifier = classifier_of(model)
    if check:
        check_classifier(classifier, alone=batch_size == 1)
    parts: list[NDArray[np.float32]] = []
    sizes: list[NDArray[np.int64]] = []
    for batch in view_batches(images, plan, classifier.card, landmarks=landmarks, batch_size=batch_size):
        # Lent for one batch at a time, because reading the next images runs code of others.
        with borrowed(classifier) as scores:
            parts.append(scores(batch.images).cpu().numpy())
        sizes.append(batch.sizes[batch.views == 0])
    if not parts:
        raise InputError("no images were given; pass at least one file or decoded image")
    joined = np.concatenate(parts)
    return decided(classifier.card, joined.reshape(-1, len(plan), joined.shape[1]), np.concatenate(sizes))


def predict_blank(model: nn.Module) -> Predictions:
    """Run a model on a black frame: what it says without an image, and what black around a small view says.

    Args:
        model: An ``AttributeClassifier``.

    Returns:
        Predictions of one image and one view.

    Raises:
        InputError: The model has no card.

    Example:
        >>> from bincam import models
        >>> from bincam.inference import predict_blank
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(32, 32))
        >>> predict_blank(model).positive.shape
        (1, 1, 2)
    """
    classifier = classifier_of(model)
    size = classifier.card.input_size
    with borrowed(classifier) as scores:
        raw = scores(normalised(np.zeros((1, *size, 3), np.uint8), classifier.card)).cpu().numpy()
    return decided(classifier.card, raw[None], np.array([size], np.int64))


def check_classifier(classifier: AttributeClassifier, *, alone: bool) -> None:
    """Check that a classifier's scores are a function of one image, on a random image of its input size.

    Raises:
        InputError: The model does not take such an image.
        UnsupportedError: They are not.
    """
    channels, size = len(classifier.card.mean), classifier.card.input_size
    probe = torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(0))
    given = probe.to(*device_and_type(classifier))
    with shape_in_a_line(given):
        check_one_image(ScoringClassifier(classifier), given, lambda raw: raw, alone=alone)


def decided(card: Card, scores: NDArray[np.float32], sizes: NDArray[np.int64]) -> Predictions:
    """Convert raw scores ``(N, V, A)`` to logits and decisions, by the card's thresholds and sets."""
    names = card.attributes
    flat = torch.from_numpy(scores).flatten(0, 1)
    if flat.shape[1] != len(names):
        raise InputError(f"the model returned {flat.shape[1]} scores for the {len(names)} outputs of its card")
    thresholds = torch.tensor([card.thresholds.get(name, 0.0) for name in names])
    unknown = undefined_outputs(flat, card)
    positive = decide(flat, card.set_columns, thresholds) & ~unknown
    logits = log_odds(flat, card.set_columns)
    shape = scores.shape
    return Predictions(
        names,
        np.asarray(logits.reshape(shape).numpy()),
        np.asarray(positive.reshape(shape).numpy()),
        np.asarray(unknown.reshape(shape).numpy()),
        sizes,
    )


def undefined_outputs(scores: Tensor, card: Card) -> Tensor:
    """Mark outputs ``(B, A)`` without a decision: an infinite logit has overflowed, and no set has such a score."""
    unknown = ~scores.isfinite()
    for columns in card.set_columns.values():
        unknown[:, list(columns)] = unknown[:, list(columns)].any(1, keepdim=True)
    return unknown
