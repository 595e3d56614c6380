"""Views in an audit: made in the process that reads an image, and explained as the mean over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.settings import Settings
from bincam.cam import Explainer, PlacedViews
from bincam.cam.views.mean import refuse_views
from bincam.cam.views.placed import closeness, frame_fit, frame_grid, view_pixels
from bincam.data import Batch
from bincam.data.dataset import Crop
from bincam.data.decoding.bands import ValueRange
from bincam.display import counted
from bincam.errors import InputError
from bincam.inference import Plan as ViewPlan
from bincam.inference import chosen_plan
from bincam.inference.zoom.batches import check_request, framed
from bincam.models.card import Card

PIXELS, PLACES = "views", "places of views"
Grid = tuple[int, int]


@dataclass(frozen=True)
class ViewReader:
    """Makes the views of an image, for ``bincam.data.loader(also=...)``.

    Attributes:
        plan: The views.
        card: Of the model.
        landmarks: ``(N, 5, 2)`` of the images that are read, in their pixels; None without.
    """

    plan: ViewPlan
    card: Card
    landmarks: NDArray[np.floating] | None

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Make the views ``(V, H, W, 3)`` and their places ``(V, 4)``."""
        assert crop.image is not None
        points = None if self.landmarks is None else self.landmarks[crop.row]
        pixels, places = view_pixels(framed(crop.image, self.card, points), self.plan)
        return {PIXELS: pixels, PLACES: places}


def taken_views(batch: Batch, plan: ViewPlan, card: Card) -> tuple[PlacedViews, Batch]:
    """Take the views out of what ``ViewReader`` has read with a batch, and return the batch without them."""
    views = PlacedViews.of_pixels(batch.also[PIXELS].numpy(), batch.also[PLACES].numpy(), plan, card)
    rest = {name: values for name, values in batch.also.items() if name not in (PIXELS, PLACES)}
    return views, replace(batch, also=rest)


def plan_views(
    settings: Settings, card: Card, *, landmarks: bool, value_range: ValueRange | None = None
) -> ViewPlan | None:
    """Choose the views of an audit, and refuse what is not measured on them; None without views.

    Raises:
        InputError: There are no such views, or a setting needs the image as the model sees it.
    """
    if settings.views is None:
        return None
    plan = chosen_plan(settings.views, card.input_size)
    check_request(plan, card, 1, landmarks, value_range)
    for asked, what in (
        (settings.grid, "grid: prediction grids are"),
        (settings.boxes, "boxes: boxes are"),
        (settings.sample, "sample: deletion, insertion and ROAD are"),
    ):
        if asked:
            raise InputError(f"views is not combined with {what} of the image as the model sees it; leave out one")
    return plan


def view_notes(plan: ViewPlan, explainers: Sequence[Explainer], card: Card, *, drawn: bool) -> list[str]:
    """Check that methods can be averaged, and tell what views cost and change.

    Args:
        plan: The views.
        explainers: Of all methods.
        card: Of the model.
        drawn: Whether there are regions that are the same in every image.

    Raises:
        UnsupportedError: A method cannot.
    """
    for explainer in explainers:
        refuse_views(explainer.method, explainer.method_name, cells=False, further=False)
    passes = counted(len(plan), "forward pass", "forward passes")
    notes = [
        f"the mean over {counted(len(plan), 'view')} is audited, at {passes} per image, also of the references; the "
        "randomisation test is of single images"
    ]
    if card.fit == "crop":
        where = "the frame of maps and masks is the whole image, not its centred part that the model's card states"
        notes.append(f"{where}; regions that are the same in every image are drawn in that frame" if drawn else where)
    return notes


def frame_grids(grids: dict[str, Grid], plan: ViewPlan | None) -> dict[str, Grid]:
    """Return the grids of maps of the mean over views; those of single images without views."""
    return grids if plan is None else {spec: frame_grid(grid, closeness(plan)) for spec, grid in grids.items()}


def loader_fit(card: Card, plan: ViewPlan | None) -> str:
    """Return how images are brought to the frame of the maps."""
    return card.fit if plan is None else frame_fit(card.fit)
