"""What ``bincam explain --views`` adds: the whole photograph as a picture, the views' outlines, and words for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.display import counted

if TYPE_CHECKING:
    from PIL.Image import Image

    from bincam.inference.zoom.plan import Plan
    from bincam.report.figures.pictured.explanation import Outlines

LONGEST = 4
"""Longest side of a picture in its shortest; of longer strips the picture is compressed."""


def whole_picture(photo: Image, input_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Reduce a photograph to a picture ``(H, W, 3)`` in its own shape, whose shorter side is the model's input's.

    >>> from PIL import Image
    >>> whole_picture(Image.new("RGB", (500, 375)), (224, 224)).shape
    (224, 299, 3)
    """
    short = min(input_size)
    height, width = (
        min(round(short * side / min(photo.size)), LONGEST * short) for side in (photo.height, photo.width)
    )
    return np.asarray(photo.convert("RGB").resize((width, height)), np.uint8)


def view_outlines(plan: Plan, photo: tuple[int, int], picture: tuple[int, int]) -> Outlines:
    """Return where the views are in a picture of a photograph, clipped to it, as ``Panel.outlines``.

    Args:
        plan: The views.
        photo: ``(H, W)`` of the photograph.
        picture: ``(H, W)`` of its picture.
    """
    from bincam.inference import places_of

    places = places_of(plan, [photo])
    first = places.corner[0] / places.resized[0]
    last = (places.corner[0] + np.asarray(plan.input_size)) / places.resized[0]
    (y0, x0), (y1, x1) = ((np.clip(ends, 0, 1) * picture).T.tolist() for ends in (first, last))
    return tuple((box, False) for box in zip(x0, y0, x1, y1, strict=True))


def about_views(plan: Plan | None) -> dict[str, Any]:
    """State the views in the document of an explanation; empty without them."""
    return {} if plan is None else {"views": [list(view) for view in plan.views], "frame": "the whole image"}


def views_note(document: Any) -> str:
    """Return the sentence about views for the caption of a figure."""
    if "views" not in document:
        return ""
    return (
        f" Mean of the raw scores of {counted(len(document['views']), 'view')} (amber), at one forward pass each; maps "
        "are laid back into the whole image. Beyond the image: evidence on the black around it, which has no place."
    )
