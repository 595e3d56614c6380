"""Reports of audits and contrasts: one self-contained HTML file each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.reader import open_audit
from bincam.errors import InputError
from bincam.report.conclusions.actions import TOLERATED
from bincam.report.conclusions.definitions import definitions as conclusion_definitions
from bincam.report.conclusions.reading import conclude
from bincam.report.figures.audited.attribute import Canvas
from bincam.report.figures.pictured.examples import RULE, Photographs, mean_face
from bincam.report.figures.pictured.overlays import gradient
from bincam.report.html import heading
from bincam.report.html.notes import notes
from bincam.report.reading.audited_model import Arm, common
from bincam.report.reading.contrast import FILE, Contrast, open_arm, open_contrast
from bincam.report.sections.attention_overlap import overlap_plots
from bincam.report.sections.attributes.card import MEANINGS, SHOWN, card
from bincam.report.sections.attributes.map_reference import counted_from
from bincam.report.sections.boxes.part import boxes_part
from bincam.report.sections.cells.part import cells_part
from bincam.report.sections.context import Drawing
from bincam.report.sections.contrast_tables import published_table
from bincam.report.sections.first_screen import findings, overview
from bincam.report.sections.first_screen import table as overview_table
from bincam.report.sections.first_screen.people import people_part
from bincam.report.sections.label_sets.part import label_sets_part
from bincam.report.sections.relabel import relabel
from bincam.report.sections.sampled_metrics import sample_table
from bincam.report.sections.sets.part import sets_part
from bincam.report.sections.sets.suspects import set_suspects
from bincam.report.sections.words import definitions, wording
from bincam.report.sections.words.unmeasured import unmeasured
from bincam.report.sections.zoom.part import zoom_part
from bincam.report.view.sets import SetsPart
from bincam.report.view_model import MISSES, Card, Page
from bincam.storage import local_folder
from bincam.units import unit

if TYPE_CHECKING:
    from jinja2 import Template

Track = Callable[[Sequence[str]], Iterable[str]]
Spread = Callable[[Sequence[str], Callable[[str], Card]], Iterator[tuple[str, Card]]]
"""Begins to draw the cards of attributes, and yields name and card in any order."""


@dataclass(frozen=True)
class Source:
    """The models that a report describes.

    Attributes:
        arms: One audited model, or two audited on the same images.
        contrast: The comparison of the two; None for a single audit.
    """

    arms: tuple[Arm, ...]
    contrast: Contrast | None = None

    @property
    def columns(self) -> tuple[Arm, ...]:
        """The arms and, between them, the first at its adjusted threshold where one is known."""
        moved = self.contrast.moved if self.contrast else None
        return self.arms if moved is None else (self.arms[0], moved, *self.arms[1:])


def open_source(path: str | os.PathLike[str]) -> Source:
    """Read the folder of an audit or a contrast.

    Raises:
        InputError: It is neither, or incomplete.
    """
    folder = local_folder(path)
    if (folder / FILE).is_file():
        contrast = open_contrast(folder)
        return Source((contrast.first, contrast.second), contrast)
    return Source((open_arm("audited model", open_audit(folder)),))


def drawing_of(
    source: Source, out: Path, *, hide_faces: bool, assets: str | os.PathLike[str] | None, misses: int
) -> Drawing:
    """Open what all cards share; the arguments are those of ``write_report``."""
    arms, audit = source.arms, source.arms[0].audit
    return Drawing(
        arms=arms,
        photographs=Photographs(audit, hide_faces),
        face=mean_face(audit, hide_faces=hide_faces),
        canvas=Canvas([arm.name for arm in arms]),
        assets=None if assets is None else Path(assets),
        base=out.parent,
        contrast=source.contrast,
        misses=misses,
    )


def build(
    source: Source,
    out: Path,
    *,
    hide_faces: bool = False,
    assets: str | os.PathLike[str] | None = None,
    tolerated: float = TOLERATED,
    misses: int = MISSES,
    track: Track | None = None,
    spread: Spread | None = None,
) -> Page:
    """Build the content of the page; the arguments are those of ``write_report``, and who draws the cards."""
    arms, first = source.arms, source.arms[0]
    attributes = common(arms)
    document = source.contrast.document if source.contrast else {}
    sets = (document.get("sets") if source.contrast else first.audit.one_of) or ()
    outputs = document.get("outputs") or ()
    if not (attributes or sets or outputs):
        raise InputError(f"{first.audit.folder}: the audits have no attribute in common, and no set of outputs")
    drawing = drawing_of(source, out, hide_faces=hide_faces, assets=assets, misses=misses)
    photographs = drawing.photographs
    drawn = (spread or _one_by_one)(attributes, lambda name: card(name, drawing))
    of_sets, of_boxes, of_zoom = sets_part(drawing), boxes_part(drawing), zoom_part(drawing)
    label_sets, unshown = label_sets_part(drawing)
    plots, overlaps = overview.plots(source.columns, attributes) if attributes else [], overlap_plots(arms, attributes)
    by_name = dict(next(drawn) for _ in (track or iter)(attributes))
    cards = [by_name[name] for name in attributes]
    cells = cells_part(drawing, attributes)
    anchors = {content.name: content.anchor for content in cards} | _anchors_of_outputs(first, document, of_sets)
    columns, rows = overview_table.columns(arms), overview_table.rows(source.columns, attributes, anchors)
    conclusions = conclude(arms, source.contrast, tolerated=tolerated)
    maps = bool(cards or of_sets.cards or any(content.maps for content in of_sets.contrasts))
    return Page(
        title=heading.title(arms, sets),
        kicker="Contrast of two models" if len(arms) > 1 else "Audit of one model",
        question=heading.question(arms, sets=bool(sets), outputs=bool(outputs)),
        subject=heading.subject(arms, sets),
        arms=[arm.name for arm in arms],
        labels=wording.labels_counted(first, attributes),
        unit=unit(first.method),
        counted=counted_from(first),
        models=[(arm.key or arm.name, arm.label) for arm in source.columns],
        conclusions=conclusions,
        anchors=anchors,
        tiles=[*(overview.tiles(source.columns, attributes) if attributes else ()), *of_sets.tiles],
        findings=[
            *_findings(source, attributes),
            *of_sets.findings,
            *(cells.findings if cells else ()),
            *(of_boxes.findings if of_boxes else ()),
            *(of_zoom.findings if of_zoom else ()),
            *(label_sets.findings if label_sets else ()),
        ],
        averages=_averages(source, attributes),
        notes=[*notes(source.arms, source.contrast, photographs, attributes), *unshown],
        people=people_part(arms, attributes, anchors, source.contrast),
        plots=plots,
        columns=columns,
        rows=rows,
        undefined=overview_table.undefined(columns, rows),
        cards=cards,
        sets=of_sets.cards,
        set_contrasts=of_sets.contrasts,
        single_outputs=of_sets.outputs,
        cells=cells,
        boxes=of_boxes,
        zoom=of_zoom,
        label_sets=label_sets,
        overlaps=overlaps,
        sampled=sample_table(arms, attributes),
        unmeasured=unmeasured(arms),
        relabel=relabel(arms, attributes, photographs, set_suspects(drawing)),
        published=published_table(source.contrast) if source.contrast else None,
        rule=RULE + (f" Outcomes are those of {first.phrase}." if len(arms) > 1 else ""),
        outcomes=[(outcome, MEANINGS[outcome]) for outcome in SHOWN],
        gradient=gradient(),
        explained=drawing.explained,
        definitions=[
            *conclusion_definitions(tolerated),
            *(definitions.definitions(arms) if maps else [definitions.INTERVALS]),
            *of_sets.definitions,
            *(cells.definitions if cells else ()),
            *(of_boxes.definitions if of_boxes else ()),
            *(of_zoom.definitions if of_zoom else ()),
            *(label_sets.definitions if label_sets else ()),
        ],
        limits=[limit for limit in definitions.LIMITS if maps or limit is not definitions.OF_MAPS],
        provenance=[definitions.provenance(arm) for arm in arms],
    )


def _one_by_one(attributes: Sequence[str], draw: Callable[[str], Card]) -> Iterator[tuple[str, Card]]:
    return ((name, draw(name)) for name in attributes)


def render(page: Page) -> str:
    """Render the page as HTML, with its style, script and images embedded."""
    return _template().render(
        page=page,
        style=_asset("style.css"),
        script=_asset("table.js"),
        data=_embedded([row.data for row in page.rows]),
    )


def _anchors_of_outputs(first: Arm, document: Mapping[str, Any], of_sets: SetsPart) -> dict[str, str]:
    """The id of the card of the set that an output is of, by output."""
    anchors = {card.name: card.anchor for card in of_sets.cards}
    anchors |= {card.name: card.anchor for card in of_sets.contrasts}
    entries: Mapping[str, Any] = document.get("sets") or first.summary.get("sets") or {}
    return {output: anchor for name, anchor in anchors.items() for output in entries[name]["outputs"]}


def _findings(source: Source, attributes: Sequence[str]) -> Sequence[str]:
    if source.contrast:
        return source.contrast.findings
    return findings.findings(source.arms, attributes) if attributes else []


def _averages(source: Source, attributes: Sequence[str]) -> list[str]:
    if source.contrast is None or not attributes:
        return []
    return [*findings.findings(source.arms, attributes), *source.contrast.correlations()]


@cache
def _template() -> Template:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_asset)
    )
    return environment.from_string(_asset("report.html.j2"))


def _asset(name: str) -> str:
    return resources.files("bincam.report.html").joinpath(f"assets/{name}").read_text(encoding="utf-8")


def _embedded(value: Any) -> str:
    """Write JSON that is safe inside a script element, because no tag can begin in it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
