"""MEMO and zoom-MEMO: one step that lowers the entropy of the mean over views, image by image, on a borrowed model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from bincam.errors import InputError, UnsupportedError
from bincam.inference.borrowed_classifier import Scores, borrowed, classifier_of
from bincam.inference.prediction import Predictions, decided
from bincam.inference.tta.augmix import augmix_views
from bincam.inference.tta.batch_norm import blended
from bincam.inference.tta.entropy import marginal_entropies, question_columns
from bincam.inference.tta.mirror import plain_crop
from bincam.inference.tta.random_crops import random_crops
from bincam.inference.zoom.batches import Source, each_source, framed, normalised, pixels_of
from bincam.inference.zoom.render import Pixels
from bincam.models.classifier import AttributeClassifier

Draw = Callable[[Pixels, tuple[int, int], int, np.random.Generator], NDArray[np.generic]]
"""An image, the input size ``(h, w)``, K and a source of random numbers to views ``(K, h, w, 3)`` from 0 to 255."""


@dataclass(frozen=True)
class Adapted:
    """Predictions of N images' own crops before and after a step of adaptation to each.

    Attributes:
        before: With the model as it is; one view.
        after: With the weights after the step, which begins anew for every image; one view.
        entropy: ``(N, Q)``: entropy of the mean over views before the step, of every question: first the yes-or-no
            attributes, then the sets.
        unadapted: Images whose views have no finite entropy or gradient; they keep the model's own weights.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> from bincam.inference import zoom_memo
        >>> model = models.build("resnet10t", ["Smiling"], input_size=(64, 64))
        >>> adapted = zoom_memo(model, [np.full((40, 30, 3), 99, np.uint8)], views=2)
        >>> flips = adapted.before.positive != adapted.after.positive
        >>> flips.shape
        (1, 1, 1)
    """

    before: Predictions
    after: Predictions
    entropy: NDArray[np.float64]
    unadapted: int


def zoom_memo(
    model: nn.Module,
    images: Iterable[Source],
    *,
    landmarks: Iterable[ArrayLike] | None = None,
    views: int = 64,
    prior: int | None = 16,
    rate: float = 2.5e-4,
    per_attribute: bool = False,
    seed: int = 0,
) -> Adapted:
    """Adapt a model to each image by random crops at random scales, and predict the image.

    The method of Taesiri et al. (arXiv 2304.05538), which is MEMO (Zhang et al., arXiv 2110.09506) with zooms in place
    of AugMix. Per image: K random crops of 8 to 100 % of the area and a ratio of 3/4 to 4/3, not mirrored; the entropy
    of the mean of their probabilities; one step of plain gradient descent on all parameters; a prediction of the
    model's own crop. Batch normalisation blends 16/17 of the running and 1/17 of the batch's statistics in both passes.
    Weights are reset for every image. The cost per image is a forward and a backward pass of K views, and two passes of
    one crop.

    Ours: for yes-or-no attributes the loss is the sum of binary entropies, and that of sets adds to it. The crop that
    is predicted is the card's own, where the paper's code takes the centre of 256 pixels. Random numbers depend on the
    seed and the image's place alone.

    The model is borrowed: parameters, buffers, gradients, ``requires_grad``, modes and random state are restored, also
    after errors.

    Args:
        model: An ``AttributeClassifier``.
        images: Files, or decoded images ``(H, W, 3)`` uint8.
        landmarks: ``(5, 2)`` of every image, for a model that reads face crops; crops are then of the crop's square.
        views: K, at least 1.
        prior: N, the images that the running statistics count as; None uses them alone.
        rate: Step size of gradient descent, above 0.
        per_attribute: Adapt to every question alone, an attribute or a set, and predict it with the weights after its
            own step; a backward pass and a prediction per question.
        seed: Seed of the crops.

    Raises:
        InputError: The model has no card, an option is out of range, an image cannot be read, or there is none.
        UnsupportedError: No parameter has an effect that can be differentiated.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> from bincam.inference import zoom_memo
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
        >>> photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
        >>> adapted = zoom_memo(model, [photo], views=4)
        >>> adapted.after.logits.shape, adapted.entropy.shape, adapted.unadapted
        ((1, 1, 2), (1, 2), 0)
    """
    settings = _Settings(random_crops, views, prior, rate, per_attribute, seed)
    return _adapted(model, images, landmarks, settings)


def memo(
    model: nn.Module,
    images: Iterable[Source],
    *,
    landmarks: Iterable[ArrayLike] | None = None,
    views: int = 64,
    prior: int | None = 16,
    rate: float = 2.5e-4,
    per_attribute: bool = False,
    seed: int = 0,
) -> Adapted:
    """Adapt a model to each image by AugMix views, and predict the image.

    MEMO of Zhang et al. (NeurIPS 2022, arXiv 2110.09506), with the views of ``augmix_views``; all else, deviations and
    arguments are those of ``zoom_memo``.

    Raises:
        InputError: As for ``zoom_memo``.
        UnsupportedError: Likewise.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> from bincam.inference import memo
        >>> model = models.build("resnet10t", ["Smiling"], input_size=(64, 64))
        >>> photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
        >>> memo(model, [photo], views=4).before.logits.shape
        (1, 1, 1)
    """
    settings = _Settings(augmix_views, views, prior, rate, per_attribute, seed)
    return _adapted(model, images, landmarks, settings)


@dataclass(frozen=True)
class _Settings:
    draw: Draw
    views: int
    prior: int | None
    rate: float
    per_attribute: bool
    seed: int

    def __post_init__(self) -> None:
        if self.views < 1:
            raise InputError(f"views={self.views}: expected at least 1")
        if not 0 < self.rate < np.inf:
            raise InputError(f"rate={self.rate}: the step size of gradient descent is above 0")


def _adapted(
    model: nn.Module, images: Iterable[Source], landmarks: Iterable[ArrayLike] | None, settings: _Settings
) -> Adapted:
    classifier = classifier_of(model)
    card = classifier.card
    if card.fit == "face" and landmarks is None:
        raise InputError("the model reads faces cropped by their landmarks (fit 'face' in its card); pass landmarks=")
    before, after, entropies, sizes = [], [], [], []
    unadapted = 0
    for row, (source, points) in enumerate(each_source(images, landmarks)):
        image = pixels_of(source)
        crop = plain_crop(image, card, points)[None]
        frame = framed(image, card, points)
        drawn = settings.draw(frame, card.input_size, settings.views, np.random.default_rng((settings.seed, row)))
        # Lent for one image at a time, because reading the next one runs code of others.
        with borrowed(classifier) as scores:
            plain = scores(crop)
            step = _step(classifier, scores, normalised(drawn, card), crop, settings)
        before.append(plain.cpu().numpy())
        after.append((plain if step.scores is None else step.scores).cpu().numpy())
        entropies.append(step.entropy)
        unadapted += step.scores is None
        sizes.append(frame.shape[:2])
    if not before:
        raise InputError("no images were given; pass at least one file or decoded image")
    of_images = np.array(sizes, np.int64)
    first, last = (decided(card, np.stack(parts), of_images) for parts in (before, after))
    return Adapted(first, last, np.stack(entropies), unadapted)


@dataclass(frozen=True)
class _Step:
    entropy: NDArray[np.float64]
    scores: Tensor | None
    """Raw scores ``(1, A)`` after the step; None where there was none."""


def _step(classifier: AttributeClassifier, scores: Scores, views: Tensor, crop: Tensor, settings: _Settings) -> _Step:
    """Take the step for one image, predict its crop, and put the weights back."""
    parameters = [p for p in classifier.parameters() if p.is_floating_point()]
    if any(parameter.is_inference() for parameter in parameters):
        raise InputError(
            "the model was made under torch.inference_mode(), so it has no gradients; make or load it outside of that"
        )
    sets = classifier.card.set_columns
    with blended(classifier, settings.prior), _learning(parameters):
        with torch.enable_grad():
            entropies = marginal_entropies(scores(views), sets)
            losses = list(entropies) if settings.per_attribute else [entropies.sum()]
        told = entropies.detach().cpu().double().numpy()
        if not entropies.requires_grad:
            raise UnsupportedError(
                "the model's output has no gradient with respect to any parameter, so it cannot be adapted; use "
                "mean_probability over views instead"
            )
        result: Tensor | None = None
        columns = question_columns(len(classifier.card.attributes), sets)
        for place, loss in enumerate(losses):
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=place + 1 < len(losses))
            if not _finite(loss, gradients):
                return _Step(told, None)
            with _moved(parameters, gradients, settings.rate):
                seen = scores(crop)
            if not settings.per_attribute:
                return _Step(told, seen)
            result = seen.clone() if result is None else result
            result[:, columns[place]] = seen[:, columns[place]]
    return _Step(told, result)


def _finite(loss: Tensor, gradients: Sequence[Tensor | None]) -> bool:
    return bool(loss.isfinite()) and all(bool(g.isfinite().all()) for g in gradients if g is not None)


@contextmanager
def _learning(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let all parameters have gradients meanwhile, also those that are frozen: the step is on all of them."""
    before = [parameter.requires_grad for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter, requires_grad in zip(parameters, before, strict=True):
            parameter.requires_grad_(requires_grad)


@contextmanager
def _moved(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None], rate: float) -> Iterator[None]:
    """Replace parameters by those after a step. The originals are not written to, so that they are restored exactly."""
    originals = [parameter.data for parameter in parameters]
    try:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.data = parameter.data - rate * gradient
        yield
    finally:
        for parameter, data in zip(parameters, originals, strict=True):
            parameter.data = data
