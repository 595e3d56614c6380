"""The figures of a document of explanations: one per image, with maps or with a prediction grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.report.explained.boxes import box_note, outlines_of
from bincam.report.explained.photographs import fit_note
from bincam.report.explained.prediction_grids import grid_caption, panels_of
from bincam.report.explained.views import view_outlines, whole_picture
from bincam.report.explained.wording import caption, summary
from bincam.units import unit

if TYPE_CHECKING:
    from bincam.inference.zoom.plan import Plan
    from bincam.report.explained.photographs import Photographs


def draw_figures(document: Mapping[str, Any], photographs: Photographs, views: Plan | None) -> None:
    """Draw the figures that a document names.

    Args:
        document: The result of ``Run.document``.
        photographs: What turns files into the model's input.
        views: Views whose mean is explained; None for the image as the model sees it.
    """
    import numpy as np

    from bincam.progress import track
    from bincam.report.figures.pictured.explanation import Panel, explanation_figure, save_figure
    from bincam.report.figures.pictured.grid import grid_figure

    images = document["images"]
    for image in track(images, "draw", unit="figures") if len(images) > 1 else images:
        panels = [
            Panel(
                name=f"{entry['rank']}, {entry['name']}" if "rank" in entry else entry["name"],
                lines=summary(entry) if box is None else _with_note(summary(entry), box_note(box)),
                values=np.array(entry["map"], dtype=float),  # null becomes NaN
                limit=document["scales"][entry["name"]],
                outlines=() if box is None else outlines_of(box),
            )
            for entry, box in zip(
                image["attributes"], image.get("boxes") or [None] * len(image["attributes"]), strict=True
            )
        ]
        file, shown = Path(image["file"]), dict[str, Any]()
        if views is None:
            pixels = photographs.as_seen(file)
        else:
            photo, face = photographs.viewed(file), photographs.card.fit == "face"
            pixels = whole_picture(photo, photographs.card.input_size)
            outlines = view_outlines(views, (photo.height, photo.width), pixels.shape[:2])
            shown = {"image_name": f"the whole {'face crop' if face else 'image'}", "image_outlines": outlines}
        title, size = file.name, f"{pixels.shape[1]} × {pixels.shape[0]} pixels"
        if "grid" in image:
            drawn = grid_figure(
                pixels,
                panels_of(image["grid"], document["grid_scales"]),
                caption=grid_caption(image["grid"], document["anatomy"]["reason"]) + fit_note(document),
                title=title,
                image_note=size,
            )
            save_figure(drawn, image["figure"])
            continue
        figure = explanation_figure(
            pixels,
            panels,
            caption=caption(document),
            unit=unit(document["method"], complete=document["complete"]),
            title=title,
            image_note=size,
            **shown,
        )
        save_figure(figure, image["figure"])


def _with_note(lines: tuple[str, ...], note: str) -> tuple[str, ...]:
    return (*lines[:-1], f"{lines[-1]}; {note}")
