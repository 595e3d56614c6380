"""Reports of audits and contrasts: one self-contained HTML file each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.reader import open_audit
from bincam.errors import InputError
from bincam.files import atomic
from bincam.report.conclusions.actions import TOLERATED
from bincam.report.conclusions.definitions import definitions as conclusion_definitions
from bincam.report.conclusions.reading import conclude
from bincam.report.figures.audited.attribute import Canvas
from bincam.report.figures.pictured.examples import RULE, Photographs, mean_face
from bincam.report.figures.pictured.overlays import gradient
from bincam.report.html import heading
from bincam.report.html.notes import notes
from bincam.report.html.pdf import print_pdf, require_browser
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
from bincam.report.view_model import Page
from bincam.units import unit

if TYPE_CHECKING:
    from jinja2 import Template

Track = Callable[[Sequence[str]], Iterable[str]]

MISSES = 10
"""Misses of an attribute that its card shows by default."""


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
    folder = Path(path)
    if (folder / FILE).is_file():
        contrast = open_contrast(folder)
        return Source((contrast.first, contrast.second), contrast)
    return Source((open_arm("audited model", open_audit(folder)),))


def write_report(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    hide_faces: bool = False,
    assets: str | os.PathLike[str] | None = None,
    tolerated: float = TOLERATED,
    misses: int = MISSES,
    pdf: str | os.PathLike[str] | None = None,
    track: Track | None = None,
) -> Path:
    r"""Write the report of an audit or a contrast.

    Args:
        source: The folder of an audit or a contrast.
        out: The HTML file to write. It needs no other files.
        hide_faces: Make every photograph unrecognisable before it is embedded.
        assets: Folder for the images in full size, to which the page links.
        tolerated: The error of a class that is tolerated, in (0, 1): what is certain to be above it needs an action.
        misses: Number of misses that an attribute's card shows, the furthest from the threshold first; 0 for none.
        pdf: Also print the page to this PDF file, with an installed Chromium.
        track: Wraps the attributes as they are drawn, to show progress.

    Returns:
        The path of the HTML file.

    Raises:
        InputError: The source cannot be read, ``tolerated`` is no share, a file cannot be written, or a PDF is asked
            for without Chromium.

    Example:
        A small model with random weights, audited on four generated images:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> from bincam.audit import Settings, run
        >>> from bincam.example import write_images
        >>> from bincam.models import build
        >>> folder = Path(tempfile.mkdtemp())
        >>> lines = [f"{file.name},{int('disc' in file.name)}" for file in write_images(folder)]
        >>> _ = (folder / "table.csv").write_text("\n".join(["image,disc", *lines]))
        >>> model = build("resnet10t", ["disc"], channels=[8, 8, 8, 8], stem_width=8, input_size=(32, 32))
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no training counts
        ...     audit = run(model, folder / "table.csv", folder / "audit", Settings(split=None, gate_images=0))
        >>> write_report(audit.folder, folder / "report.html").name
        'report.html'
    """
    target = Path(out)
    if not 0 < tolerated < 1:
        raise InputError(f"tolerated: got {tolerated}, expected a share between 0 and 1, such as {TOLERATED}")
    if pdf is not None:
        require_browser()  # before the work, not after it
    if misses < 0:
        raise InputError(f"misses: got {misses}, expected how many of an attribute's misses are shown, or 0 for none")
    page = build(
        open_source(source),
        target,
        hide_faces=hide_faces,
        assets=assets,
        tolerated=tolerated,
        misses=misses,
        track=track,
    )
    text = render(page)
    with atomic(target) as part:
        part.write_text(text, encoding="utf-8")
    if pdf is not None:
        print_pdf(target, Path(pdf))
    return target


def build(
    source: Source,
    out: Path,
    *,
    hide_faces: bool = False,
    assets: str | os.PathLike[str] | None = None,
    tolerated: float = TOLERATED,
    misses: int = MISSES,
    track: Track | None = None,
) -> Page:
    """Build the content of the page; the arguments are those of ``write_report``."""
    arms, first = source.arms, source.arms[0]
    attributes = common(arms)
    document = source.contrast.document if source.contrast else {}
    sets = (document.get("sets") if source.contrast else first.audit.one_of) or ()
    outputs = document.get("outputs") or ()
    if not (attributes or sets or outputs):
        raise InputError(f"{first.audit.folder}: the audits have no attribute in common, and no set of outputs")
    photographs = Photographs(first.audit, hide_faces)
    drawing = Drawing(
        arms=arms,
        photographs=photographs,
        face=mean_face(first.audit, hide_faces=hide_faces),
        canvas=Canvas([arm.name for arm in arms]),
        assets=None if assets is None else Path(assets),
        base=out.parent,
        contrast=source.contrast,
        misses=misses,
    )
    of_sets, of_boxes, of_zoom = sets_part(drawing), boxes_part(drawing), zoom_part(drawing)
    label_sets, unshown = label_sets_part(drawing)
    cards = [card(name, drawing) for name in (track or iter)(attributes)]
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
        plots=overview.plots(source.columns, attributes) if attributes else [],
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
        overlaps=overlap_plots(arms, attributes),
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
    cards = [*of_sets.cards, *of_sets.contrasts]
    outputs = {card.name: (document.get("sets") or first.summary.get("sets"))[card.name]["outputs"] for card in cards}
    return {output: card.anchor for card in cards for output in outputs[card.name]}


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
