"""Examples of a zoom study: the model's own crop, the view that rescued the image, and the evidence in that view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.inference.zoom.plan import View, view_plan
from bincam.inference.zoom.render import render
from bincam.report.figures.pictured.explanation import scale
from bincam.report.figures.pictured.overlays import Pixels, overlay
from bincam.report.sections.attributes.card import describe, ground
from bincam.report.sections.context import Drawing, slug
from bincam.report.view.parts import Example, Picture
from bincam.stats.formatting import percent, significant
from bincam.studies.zoom.rescued import RescuedImage, find_rescued
from bincam.studies.zoom.rescuing_maps import RescuingMaps, read_rescuing_maps
from bincam.studies.zoom.seen import SeenViews
from bincam.units import unit

SIDE = 176
TITLES = ("rescued by few views", "by a typical number", "by many views")
RULE = (
    "Examples are not chosen by hand: of the images that the own crop gets wrong and some view right, sorted by the "
    "share of right views (ties in the order of the data), those at the 10th, 50th and 90th percentile are shown, "
    "beside the right view with the greatest margin."
)
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")
WITHOUT_MAPS = "The maps of these views are not stored; 'bincam zoom {} --resume' adds them."


@dataclass
class Rescued:
    """Pictures of rescued images.

    Attributes:
        seen: The study.
        drawing: Context of the page.
    """

    seen: SeenViews
    drawing: Drawing

    def of(self, name: str) -> list[tuple[str, Example]]:
        """Draw the examples of a question; fewer than three where fewer images were rescued."""
        limit = self._limit(name)
        return [(title, self._example(one, limit)) for title, one in zip(TITLES, self._of(name), strict=False)]

    def scale_of(self, name: str) -> tuple[str, str]:
        """Return the end of the colour scale of a question's maps, and their unit; empty without maps."""
        if self._maps is None or not any(one in self._maps.maps for one in self._of(name)):
            return "", ""
        return significant(self._limit(name), 2), unit(self._maps.method, complete=self._maps.complete)

    @property
    def note(self) -> str:
        """Why views have no maps; empty where they have, or there are no examples."""
        found, reason = self._read
        if not self._chosen or (found is not None and found.maps):
            return ""
        why = reason or ("" if found is None else found.reason)
        return f"These views have no maps: {why}." if why else WITHOUT_MAPS.format(self.drawing.arms[0].audit.folder)

    @cached_property
    def _chosen(self) -> tuple[RescuedImage, ...]:
        return find_rescued(self.seen)

    @cached_property
    def _read(self) -> tuple[RescuingMaps | None, str]:
        try:
            return read_rescuing_maps(self.seen), ""
        except InputError as error:
            return None, str(error)

    @property
    def _maps(self) -> RescuingMaps | None:
        return self._read[0]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        """The audit's rows by the names of images."""
        return {str(name): row for row, name in enumerate(self.drawing.arms[0].audit.images["image"])}

    def _of(self, name: str) -> list[RescuedImage]:
        return [one for one in self._chosen if one.question == name]

    def _limit(self, name: str) -> float:
        """The end of the colour scale that all maps of a question have in common."""
        maps = {} if self._maps is None else self._maps.maps
        return scale([maps[one] for one in self._of(name) if one in maps])

    def _map(self, one: RescuedImage) -> NDArray[np.float64] | None:
        """σS ``(h, w)``: evidence for the answer that the view gives."""
        values = None if self._maps is None else self._maps.maps.get(one)
        return None if values is None else one.side * np.asarray(values, np.float64)

    def _example(self, one: RescuedImage, limit: float) -> Example:
        at = self._row_of.get(one.image)
        plain = None if at is None else self.drawing.photographs.get(at)
        shown, grid = None if at is None else self._view(at, one.view), self._map(one)
        name, framing = Path(one.image).name, framed_in_words(one.view)
        covered = ", face hidden" if self.drawing.photographs.hide_faces else ""
        subject = f"{one.question} in {name}"
        right = f"taken for {one.true}, which is right"
        rescuing = [self._picture(shown, f"{subject}: the view {framing}, {right}{covered}", one, "rescuing view")]
        verdicts = [f"{framing}: {one.true}; right in {percent(one.share, 0)} of the views"]
        if grid is not None:
            answer = f"“{one.true}”"
            alt = f"{subject}: evidence in the view {framing}, {right}: {describe(grid, answer)}{covered}"
            rescuing.append(self._picture(overlay(ground(shown, grid), grid, limit), alt, one, "map"))
            verdicts.append(f"evidence for {answer} in this view")
        alt = f"{subject}: the model's own crop, taken for {one.own} although it is {one.true}{covered}"
        return Example(self._picture(plain, alt, one, "own crop"), rescuing, f"{name}: taken for {one.own}", verdicts)

    def _picture(self, pixels: Pixels | None, alt: str, one: RescuedImage, what: str) -> Picture | None:
        stem = f"zoom-{slug(one.question)}/{Path(one.image).stem}"
        return None if pixels is None else self.drawing.picture(pixels, SIDE, alt, f"{stem}-{what}")

    def _view(self, at: int, view: View) -> Pixels | None:
        pixels = self.drawing.photographs.framed(at)
        if pixels is None:
            return None
        (shown,) = render(pixels, view_plan([view], self.seen.plan.input_size))
        return self.drawing.photographs.shown(shown)


def framed_in_words(view: View) -> str:
    """Name a view by its scale and its anchor.

    >>> framed_in_words(View(448, 0, 2))
    'S = 448, upper right'
    """
    return f"S = {view.size}, {ROWS[view.row]} {COLUMNS[view.column]}"
