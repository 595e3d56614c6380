"""The model's own crop of an image and its mirror image, the most common pair of views at test time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor, nn

from bincam.errors import InputError
from bincam.inference.borrowed_classifier import borrowed, classifier_of
from bincam.inference.prediction import Predictions, check_classifier, decided
from bincam.inference.zoom.batches import Source, each_source, pixels_of
from bincam.inference.zoom.render import check_pixels
from bincam.models.card import Card
from bincam.models.preprocess import preprocess


def predict_mirrored(
    model: nn.Module,
    images: Iterable[Source],
    *,
    landmarks: Iterable[ArrayLike] | None = None,
    batch_size: int = 32,
    check: bool = True,
) -> Predictions:
    """Run a model on its own crop of images, as ``preprocess`` makes it, and on the mirror image of that.

    The first view alone is the plain prediction; ``mean_probability`` of both is the usual flip at test time.

    Args:
        model: An ``AttributeClassifier``; it is borrowed as by ``predict``.
        images: Files, or decoded images ``(H, W, 3)`` uint8.
        landmarks: ``(5, 2)`` of every image, for a model that reads face crops.
        batch_size: Images per batch; each has two views.
        check: As for ``predict``.

    Returns:
        Predictions of two views.

    Raises:
        InputError: As for ``predict``.
        UnsupportedError: The output is not a function of one image.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> from bincam.inference import predict_mirrored
        >>> model = models.build("resnet10t", ["Smiling"], input_size=(32, 32))
        >>> even = np.full((40, 30, 3), 99, np.uint8)
        >>> seen = predict_mirrored(model, [even])
        >>> seen.logits.shape, bool(np.isclose(*seen.logits[0, :, 0], atol=1e-5))
        ((1, 2, 1), True)
    """
    classifier = classifier_of(model)
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: expected at least 1")
    if check:
        check_classifier(classifier, alone=False)
    raw: list[NDArray[np.float32]] = []
    sizes: list[tuple[int, int]] = []
    for crops, of_images in _crops(images, classifier.card, landmarks, batch_size):
        with borrowed(classifier) as scores:
            seen = [scores(view).cpu().numpy() for view in (crops, crops.flip(-1))]
        raw.append(np.stack(seen, 1))
        sizes += of_images
    if not raw:
        raise InputError("no images were given; pass at least one file or decoded image")
    return decided(classifier.card, np.concatenate(raw), np.array(sizes, np.int64))


def plain_crop(image: NDArray[np.uint8], card: Card, landmarks: ArrayLike | None) -> Tensor:
    """Return the model's own crop of a decoded image, ``(C, H, W)``."""
    check_pixels(image)
    return preprocess(Image.fromarray(image), card, landmarks)


def _crops(
    images: Iterable[Source], card: Card, landmarks: Iterable[ArrayLike] | None, batch_size: int
) -> Iterator[tuple[Tensor, list[tuple[int, int]]]]:
    crops: list[Tensor] = []
    sizes: list[tuple[int, int]] = []
    for source, points in each_source(images, landmarks):
        image = pixels_of(source)
        crops.append(plain_crop(image, card, points))
        sizes.append((image.shape[0], image.shape[1]))
        if len(crops) == batch_size:
            yield torch.stack(crops), sizes
            crops, sizes = [], []
    if crops:
        yield torch.stack(crops), sizes
