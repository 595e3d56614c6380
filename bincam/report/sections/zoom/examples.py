"""Examples of a zoom study: the model's own crop, and the view that rescued the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bincam.inference.zoom.plan import View, view_plan
from bincam.inference.zoom.render import render
from bincam.report.figures.pictured.examples import PERCENTILES
from bincam.report.figures.pictured.overlays import Pixels
from bincam.report.sections.context import Drawing, slug
from bincam.report.view.parts import Example
from bincam.stats.formatting import percent
from bincam.studies.zoom.seen import SeenViews

SIDE = 176
TITLES = ("rescued by few views", "by a typical number", "by many views")
RULE = (
    "Examples are not chosen by hand: of the images that the own crop gets wrong and some view right, sorted by the "
    "share of right views (ties in the order of the data), those at the 10th, 50th and 90th percentile are shown, "
    "beside the right view with the greatest margin."
)
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


@dataclass
class Rescued:
    """Pictures of rescued images.

    Attributes:
        seen: The study.
        drawing: Context of the page.
    """

    seen: SeenViews
    drawing: Drawing
    _row_of: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the audit's rows by the names of images."""
        images = self.drawing.arms[0].audit.images["image"]
        self._row_of = {str(name): row for row, name in enumerate(images)}

    def of(self, name: str) -> list[tuple[str, Example]]:
        """Draw the examples of a question; fewer than three where fewer images were rescued."""
        return [(title, self._example(name, row)) for title, row in zip(TITLES, self._chosen(name), strict=False)]

    def _chosen(self, name: str) -> list[int]:
        answers, true = self.seen.answers(name)
        own = self.seen.own_answers(name)
        right = answers == true[:, None]
        rescued = np.flatnonzero((true >= 0) & (own >= 0) & (own != true) & right.any(1))
        if not len(rescued):
            return []
        order = rescued[np.argsort(right[rescued].mean(1), kind="stable")]
        places = [max(int(np.ceil(part / 100 * len(order))) - 1, 0) for part in PERCENTILES]
        return [int(order[place]) for place in dict.fromkeys(places)]

    def _example(self, name: str, row: int) -> Example:
        answers, true = self.seen.answers(name)
        question = self.seen.question(name)
        right = answers[row] == true[row]
        view = self.seen.plan.views[self._best(name, row)]
        image = str(self.seen.images["image"].iloc[row])
        own = question.answers_named[self.seen.own_answers(name)[row]]
        verdict = (
            f"S = {view.size}, {ROWS[view.row]} {COLUMNS[view.column]}: {question.answers_named[true[row]]}; right in "
            f"{percent(float(right.mean()), 0)} of the views"
        )
        stem = f"zoom-{slug(name)}/{Path(image).stem}"
        at = self._row_of.get(image)
        plain = None if at is None else self.drawing.photographs.get(at)
        shown = None if at is None else self._view(at, view)
        pictures = [
            None if pixels is None else self.drawing.picture(pixels, SIDE, f"{image}, {what}", f"{stem}-{what}")
            for pixels, what in ((plain, "own crop"), (shown, "rescuing view"))
        ]
        return Example(pictures[0], [pictures[1]], f"{Path(image).name}: taken for {own}", [verdict])

    def _view(self, at: int, view: View) -> Pixels | None:
        pixels = self.drawing.photographs.framed(at)
        if pixels is None:
            return None
        (shown,) = render(pixels, view_plan([view], self.seen.plan.input_size))
        return self.drawing.photographs.shown(shown)

    def _best(self, name: str, row: int) -> int:
        """The right view with the greatest margin: of the true answer's logit, as it is stored in float16."""
        question = self.seen.question(name)
        answers, true = self.seen.answers(name)
        shard, place = self.seen.shard_of(row)
        logits = shard.logits[place].astype(np.float64)
        answer = int(true[row])
        margin = (
            logits[:, question.columns[answer]]
            if question.is_set
            else (2 * answer - 1) * logits[:, question.columns[0]]
        )
        return int(np.where(answers[row] == answer, np.nan_to_num(margin, nan=-np.inf), -np.inf).argmax())
