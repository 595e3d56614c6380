"""Batches of views across images: each image is decoded once, and its views fill batches with those of the next."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from bincam.data.decoding.bands import ValueRange, photograph
from bincam.errors import InputError
from bincam.inference.zoom.plan import Plan
from bincam.inference.zoom.render import Pixels, check_pixels, face_square, render
from bincam.models.card import Card

Source = str | os.PathLike[str] | Pixels
"""An image file, or a decoded image ``(H, W, 3)`` uint8."""


@dataclass(frozen=True)
class ViewBatch:
    """Views of one image or several.

    Attributes:
        images: ``(B, C, h, w)`` float32, normalised as the card states.
        rows: ``(B,)``: number of each view's image, from 0.
        views: ``(B,)``: index of each view in the plan.
        sizes: ``(B, 2)``: H and W of each view's image; of a face crop, the side of its square.

    Example:
        >>> from bincam.inference import view_batches, view_plan
        >>> from bincam.models import make_card
        >>> card = make_card(attributes=("Smiling",), architecture="timm", name="resnet18", input_size=(32, 32))
        >>> plan = view_plan([(32, 1, 1), (64, 1, 1)], (32, 32))
        >>> batch = next(view_batches([np.zeros((40, 30, 3), np.uint8)], plan, card))
        >>> batch.rows, batch.views, batch.images.shape
        (array([0, 0]), array([0, 1]), torch.Size([2, 3, 32, 32]))
    """

    images: Tensor
    rows: NDArray[np.int64]
    views: NDArray[np.int64]
    sizes: NDArray[np.int64]


def view_batches(
    images: Iterable[Source],
    plan: Plan,
    card: Card,
    *,
    landmarks: Iterable[ArrayLike] | None = None,
    batch_size: int = 64,
) -> Iterator[ViewBatch]:
    """Make batches of the views of images, all full but the last.

    One image, one resized image and one batch are held at a time.

    Args:
        images: Files or decoded images.
        plan: The plan, of the card's input size.
        card: Card of the model: the means and deviations of its channels, and whether it reads face crops.
        landmarks: ``(5, 2)`` of every image, in its pixels; needed where the card's ``fit`` is ``face``.
        batch_size: Views per batch.

    Raises:
        InputError: An image cannot be read, landmarks are missing or unknown, the plan is of another input size, or the
            model reads neither one nor three channels.

    Example:
        >>> import numpy as np
        >>> from bincam.inference import view_batches, view_plan
        >>> from bincam.models import make_card
        >>> card = make_card(attributes=("Smiling",), architecture="timm", name="resnet18", input_size=(32, 32))
        >>> photos = [np.zeros((40, 30, 3), np.uint8), np.zeros((20, 50, 3), np.uint8)]
        >>> [len(batch.images) for batch in view_batches(photos, view_plan("short", (32, 32)), card)]
        [64, 44]
    """
    check_request(plan, card, batch_size, landmarks is not None)
    batch = _Batch(card, min(batch_size, 1 << 16))
    for row, (source, points) in enumerate(each_source(images, landmarks)):
        image = framed(source, card, points)
        for view, pixels in enumerate(render(image, plan)):
            batch.add(pixels, row, view, image.shape[:2])
            if batch.full:
                yield batch.taken()
    if batch.rows:
        yield batch.taken()


def check_request(
    plan: Plan, card: Card, batch_size: int, has_landmarks: bool, value_range: ValueRange | None = None
) -> None:
    """Check that views of a plan can be made for a model, of images whose values have a stated range, or of 8 bits.

    Raises:
        InputError: They cannot; the message says why.
    """
    if plan.input_size != tuple(card.input_size):
        raise InputError(
            f"the plan has views of {plan.input_size[0]} x {plan.input_size[1]} pixels, but the model's input is "
            f"{card.input_size[0]} x {card.input_size[1]}; make it with view_plan({plan.name!r}, card.input_size)"
            if plan.name != "own"
            else f"the plan has views of {plan.input_size[0]} x {plan.input_size[1]} pixels, but the model's input is "
            f"{card.input_size[0]} x {card.input_size[1]}; make it for card.input_size"
        )
    check_photographs(card, value_range)
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: expected at least 1")
    if card.fit == "face" and not has_landmarks:
        raise InputError(
            "the model reads faces cropped by their landmarks (fit 'face' in its card), and its views are those of the "
            "crop's square; pass landmarks="
        )


def check_photographs(card: Card, value_range: ValueRange | None = None, what: str = "views of an image") -> None:
    """Refuse images that are not read as 8-bit RGB, of which nothing is made that needs photographs.

    Args:
        card: Of the model.
        value_range: Of the data, where one is stated.
        what: Is made of photographs alone, for the message.

    Raises:
        InputError: The model reads neither one nor three channels, or the data state a range of values.
    """
    if (channels := len(card.mean)) not in (1, 3):
        reason = f"the model reads {channels} channels (the length of its card's mean)"
    elif value_range is not None:
        reason = f"the images have a stated range of values, {value_range[0]:g} to {value_range[1]:g}"
    else:
        return
    raise InputError(
        f"{reason}, and {what} are made of 8-bit images of 1 or 3 channels alone; 'bincam audit' and 'bincam explain' "
        "without views read these images as they are"
    )


def each_source(
    images: Iterable[Source], landmarks: Iterable[ArrayLike] | None
) -> Iterator[tuple[Source, ArrayLike | None]]:
    """Iterate over images with their landmarks, None where there are none (or no more).

    A single image is refused, because its name or rows would be taken for images.

    Raises:
        InputError: It is one image.
    """
    if isinstance(images, (str, os.PathLike)) or (isinstance(images, np.ndarray) and images.ndim == 3):
        raise InputError("images is a single image; pass a list of them, [image]")
    points: Iterator[ArrayLike | None] = repeat(None) if landmarks is None else iter(landmarks)
    for source in images:
        yield source, next(points, None)


def pixels_of(source: Source) -> Pixels:
    """Return the pixels of an image ``(H, W, 3)``, read from its file where it is one.

    Raises:
        InputError: It cannot be read.
    """
    return source if isinstance(source, np.ndarray) else photograph(source)


def framed(source: Source, card: Card, landmarks: ArrayLike | None) -> Pixels:
    """Read an image, and of a face model's cut the square of its crop.

    Raises:
        InputError: It cannot be read, or has no usable landmarks.
    """
    image = pixels_of(source)
    check_pixels(image)
    if card.fit != "face":
        return image
    if landmarks is None:
        raise InputError("there are fewer landmarks than images; pass (5, 2) landmarks for every image")
    try:
        return face_square(image, landmarks, card.input_size[0])
    except InputError as error:
        where = "" if isinstance(source, np.ndarray) else f"{os.fspath(source)}: "
        raise InputError(f"{where}{error}") from None


def normalised(pixels: NDArray[np.generic], card: Card) -> Tensor:
    """Convert views ``(B, H, W, 3)`` from 0 to 255 to the model's input ``(B, C, H, W)``, channels last in memory.

    The numbers are those of ``bincam.models.preprocess`` for the same pixels; mixtures that are not whole numbers are
    rounded where the model reads grey images.
    """
    if len(card.mean) == 1:
        whole = np.rint(pixels).astype(np.uint8)
        pixels = np.stack([np.asarray(Image.fromarray(view).convert("L")) for view in whole])[..., None]
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (card.mean, card.std))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32, copy=True)
    return images.div_(255).sub_(mean).div_(std)


class _Batch:
    """Pixels of the views that are collected for the next batch."""

    def __init__(self, card: Card, size: int) -> None:
        self.card = card
        self.pixels = np.zeros((size, *card.input_size, 3), np.uint8)
        self.rows: list[int] = []
        self.views: list[int] = []
        self.sizes: list[tuple[int, ...]] = []

    @property
    def full(self) -> bool:
        return len(self.rows) == len(self.pixels)

    def add(self, pixels: Pixels, row: int, view: int, size: tuple[int, ...]) -> None:
        self.pixels[len(self.rows)] = pixels
        self.rows.append(row)
        self.views.append(view)
        self.sizes.append(size)

    def taken(self) -> ViewBatch:
        images = normalised(self.pixels[: len(self.rows)], self.card)
        batch = ViewBatch(images, np.array(self.rows), np.array(self.views), np.array(self.sizes))
        self.rows, self.views, self.sizes = [], [], []
        return batch
