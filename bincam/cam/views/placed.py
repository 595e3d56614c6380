"""Views of images with their places: what an explainer is given to explain the mean over views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.data.crop import Fit
from bincam.errors import InputError
from bincam.inference.zoom.batches import Source, check_request, each_source, framed, normalised
from bincam.inference.zoom.geometry import places_of
from bincam.inference.zoom.plan import Plan
from bincam.inference.zoom.render import Pixels, render
from bincam.models.card import Card


@dataclass(frozen=True)
class PlacedViews:
    """B images at V views each, and where the views are in the images.

    Attributes:
        images: ``(B, V, C, H, W)``, as the model takes them.
        places: ``(B, V, 4)`` float64: top, left, bottom and right of each view in shares of the image's sides; below 0
            or above 1 where a view reaches beyond the image.
        closeness: How much finer the cells of the closest view are than those of the whole image, at least 1; the grid
            of the image's frame has as many times more cells along each side.

    Example:
        >>> import numpy as np
        >>> from bincam import models
        >>> from bincam.cam import PlacedViews
        >>> from bincam.inference import view_plan
        >>> card = models.make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(32, 32))
        >>> plan = view_plan([(32, 1, 1), (96, 1, 1)], (32, 32))
        >>> views = PlacedViews.of([np.zeros((40, 40, 3), np.uint8)], plan, card)
        >>> views.images.shape, views.places[0].numpy().round(2), views.frame_grid((4, 4))
        (torch.Size([1, 2, 3, 32, 32]), array([[-0.03, -0.03,  0.97,  0.97],
               [ 0.33,  0.33,  0.67,  0.67]]), (12, 12))
    """

    images: Tensor
    places: Tensor
    closeness: float

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if len(shape) != 5 or tuple(self.places.shape) != (*shape[:2], 4):
            raise InputError(
                f"expected views (B, V, C, H, W) and their places (B, V, 4), got {shape} and {tuple(self.places.shape)}"
            )
        if shape[1] < 1:
            raise InputError("there is no view; a plan has at least one")

    @classmethod
    def of(cls, images: Iterable[Source], plan: Plan, card: Card, landmarks: Iterable[ArrayLike] | None = None) -> Self:
        """Make the views of images. All are held at a time: images × views × 3 numbers a pixel.

        Args:
            images: Files, or decoded images ``(H, W, 3)`` uint8.
            plan: The plan, of the card's input size.
            card: Card of the model.
            landmarks: ``(5, 2)`` of every image, for a model that reads face crops; views are then of the crop's
                square.

        Raises:
            InputError: An image cannot be read, there is none, landmarks are missing or unknown, or the plan is of
                another input size.
        """
        check_request(plan, card, 1, landmarks is not None)
        made = [view_pixels(framed(source, card, points), plan) for source, points in each_source(images, landmarks)]
        if not made:
            raise InputError("no images were given; pass at least one file or decoded image")
        pixels, places = (np.stack(parts) for parts in zip(*made, strict=True))
        return cls.of_pixels(pixels, places, plan, card)

    @classmethod
    def of_pixels(cls, pixels: NDArray[np.uint8], places: NDArray[np.float64], plan: Plan, card: Card) -> Self:
        """Take views ``(B, V, H, W, 3)`` and places ``(B, V, 4)`` as ``view_pixels`` makes them, and normalise them."""
        images = normalised(pixels.reshape(-1, *pixels.shape[2:]), card)
        return cls(images.reshape(*pixels.shape[:2], *images.shape[1:]), torch.from_numpy(places), closeness(plan))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def count(self) -> int:
        """Number of views V of each image."""
        return int(self.images.shape[1])

    @property
    def flat(self) -> Tensor:
        """``(B V, C, H, W)``: the views of the first image, then those of the next."""
        return self.images.flatten(0, 1)

    def rows(self, rows: slice) -> Self:
        """Select some images."""
        return type(self)(self.images[rows], self.places[rows], self.closeness)

    def frame_grid(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Return the grid of the image's frame where each view has a grid of ``(h, w)`` cells."""
        return frame_grid(grid, self.closeness)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join images at the views of one plan."""
        images, places = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "places"))
        return cls(images, places, parts[0].closeness)


def view_pixels(image: Pixels, plan: Plan) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Make the views of one image, ``(V, H, W, 3)``, and their places, ``(V, 4)``.

    Args:
        image: ``(H, W, 3)``; of a face the square of its crop, see ``framed``.
        plan: The plan.
    """
    places = places_of(plan, [image.shape[:2]])
    first = places.corner[0] / places.resized[0]
    last = (places.corner[0] + np.asarray(plan.input_size)) / places.resized[0]
    return np.stack(list(render(image, plan))), np.concatenate([first, last], 1)


def closeness(plan: Plan) -> float:
    """Compute how much finer the cells of a plan's closest view are than those of a view of the whole image, or 1.

    It depends on the plan alone, so that all images have one grid: along the shorter side of an image it is the
    greatest scale S over the model's input, and along a longer side cells are finer still.

    >>> from bincam.inference import view_plan
    >>> closeness(view_plan("short", (224, 224))) == 640 / 224
    True
    """
    return max(1.0, max(plan.sizes) / min(plan.input_size))


def frame_grid(grid: tuple[int, int], close: float) -> tuple[int, int]:
    """Return the grid of the image's frame: that of a view, times the closeness, rounded up.

    >>> frame_grid((7, 7), 640 / 224), frame_grid((7, 7), 1.0)
    ((20, 20), (7, 7))
    """
    height, width = (int(np.ceil(cells * close - 1e-9)) for cells in grid)
    return height, width


def frame_fit(fit: Fit) -> Fit:
    """Return how an image is brought to the frame in which maps of views are laid: faces by their crop, others whole.

    >>> frame_fit("crop"), frame_fit("face")
    ('stretch', 'face')
    """
    return "face" if fit == "face" else "stretch"


def frame_card(card: Card) -> Card:
    """Return a card by which ``preprocess`` and the loader show the frame in which maps of views are laid."""
    return card.model_copy(update={"fit": frame_fit(card.fit)})
