"""The whole section on the zoom study: findings, tables, a card per question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.errors import InputError
from bincam.report.figures.audited.zoom import (
    AnchorMap,
    ScaleCurve,
    anchor_maps,
    deviation_limit,
    in_words,
    scale_curves,
)
from bincam.report.figures.theme import inline
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.words.wording import marked
from bincam.report.sections.zoom import sentences
from bincam.report.sections.zoom.at_test_time import sentences_at_test_time, tables_at_test_time
from bincam.report.sections.zoom.examples import RULE, Rescued
from bincam.report.sections.zoom.studied import find_zoom
from bincam.report.sections.zoom.tables import figure, tables
from bincam.report.view.parts import Chart, Definition
from bincam.report.view.zoom import ZoomCard, ZoomPart
from bincam.stats.estimate import Estimate

CENTRED, VISIBLE = "views centred on the anchor", "views in which the anchor is visible"
DEFINITIONS = (
    Definition(
        "View (zoom study)",
        "The image is resized until its shorter side has S pixels, and a part of the model's input size is cut around "
        "one of 3 × 3 anchors; what is beyond the image is black.",
    ),
    Definition(
        "Null of the right-oracle",
        "The share of images of which some view would be right if labels were drawn independently of the images, as "
        "frequent as they are. A model whose answers flip at random has a right-oracle of 100 % and a null of 100 %.",
    ),
    Definition(
        "Positional bias",
        "How much more often views at one of the nine anchors are right than the mean of the nine, in the same images, "
        "over scales at which a view is a strict part of the image.",
    ),
)


def zoom_part(drawing: Drawing) -> ZoomPart | None:
    """Make the section; None where the page is of two models, or the audit has no zoom study that may be shown."""
    if len(drawing.arms) > 1:
        return None
    try:
        seen = find_zoom(drawing.arms[0].audit)
    except InputError:  # the page's notes say why
        return None
    if seen is None:
        return None
    summary = seen.summary
    entries: Mapping[str, Any] = summary["questions"]
    maps = {name: _maps(entry) for name, entry in entries.items()}
    limit = deviation_limit([each for of_question in maps.values() for each in of_question])
    rescued = Rescued(seen, drawing)
    return ZoomPart(
        findings=[sentences.finding(summary)],
        lead=[*sentences.lead(summary), *sentences_at_test_time(seen)],
        tables=[*tables(summary), *tables_at_test_time(seen)],
        cards=[
            ZoomCard(
                name=name,
                anchor=f"zoom-{slug(name)}",
                figures=[
                    ("own crop", marked(figure(entry, ("own_crop",)), "percent")),
                    ("some view right", marked(figure(entry, ("oracles", "right")), "percent")),
                    ("null", marked(figure(entry, ("oracles", "null")), "percent")),
                    ("depends on the view", marked(figure(entry, ("sensitivity", "all")), "percent")),
                ],
                sentences=sentences.about(name, entry, summary),
                charts=_charts(name, entry, maps[name], limit, min(seen.plan.input_size)),
                examples=rescued.of(name),
                limit=rescued.scale_of(name)[0],
                unit=rescued.scale_of(name)[1],
            )
            for name, entry in entries.items()
        ],
        rule=" ".join(filter(None, [RULE, rescued.note])),
        definitions=DEFINITIONS,
    )


def _maps(entry: Mapping[str, Any]) -> list[AnchorMap]:
    found = []
    for title, definition in ((CENTRED, "centred"), (VISIBLE, "visible")):
        table = entry["positions"][definition]["accuracy"]
        rows = {
            key: [[Estimate.from_json(cell) for cell in row] for row in table[key]] for key in ("values", "deviations")
        }
        found.append(AnchorMap(title, rows["values"], rows["deviations"]))
    return found


def _charts(name: str, entry: Mapping[str, Any], maps: list[AnchorMap], limit: float, input_size: int) -> list[Chart]:
    charts = []
    if any(cell.defined for each in maps for row in each.values for cell in row):
        alt = f"{name}: {in_words({each.title: each.values for each in maps})}"
        charts.append(
            Chart(
                inline(anchor_maps(maps, limit), alt),
                [
                    "Share of right views, below it its difference to the mean of the nine in points, with 95 % "
                    "interval."
                ],
            )
        )
    curves = [_curve("all anchors", entry["scales"])]
    if entry["scales_of_object"]:
        curves.append(_curve("views that show the object", entry["scales_of_object"]))
    alt = f"{name}: accuracy over the scale. " + " ".join(sentences.about_scale(entry))
    own = figure(entry, ("own_crop",))
    lines = ["Share of right views over the scale; bands are 95 % intervals."]
    if entry["scales_of_object"]:
        lines.append("Views that show the object: of images in which its place is known.")
    charts.append(Chart(inline(scale_curves(curves, own_crop=own, input_size=input_size), alt), lines))
    return charts


def _curve(name: str, scales: Mapping[str, Any]) -> ScaleCurve:
    return ScaleCurve(name, scales["sizes"], [Estimate.from_json(one) for one in scales["curve"]])
