"""Content of the page for the template: text, formatted numbers and rendered images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bincam.report.conclusions.reading import Conclusions
from bincam.report.view.boxes import BoxPart
from bincam.report.view.cells import CellsPart
from bincam.report.view.label_sets import LabelSetsPart
from bincam.report.view.parts import Cell, Chart, Definition, Example, Picture, Table, Tile
from bincam.report.view.people import PeoplePart
from bincam.report.view.sets import SetCard, SetContrastCard
from bincam.report.view.zoom import ZoomPart

MISSES = 10
"""Misses of an attribute that its card shows by default."""


@dataclass(frozen=True)
class Plot:
    """A figure of the overview.

    Attributes:
        title: Title.
        svg: The inline element.
        reading: How to read it.
        finding: Its main numbers in words; also its text alternative.
        of_maps: True if it is made of maps, and marked where these did not pass their test.
    """

    title: str
    svg: str
    reading: str
    finding: str
    of_maps: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: Name in the CSV and the JSON.
        head: Text of the head.
        group: Text above several heads; empty for none.
        kind: ``text``, ``percent``, ``number`` or ``count``.
        help: Definition, shown as a tooltip.
        further: True if it is shown on request only.
        of_maps: True if it is made of maps, and marked where these did not pass their test.
    """

    key: str
    head: str
    group: str
    kind: str
    help: str
    further: bool = False
    of_maps: bool = False


@dataclass(frozen=True)
class TableRow:
    """An attribute of an arm: its cells, and the unformatted values for the downloads."""

    arm: str
    name: str
    cells: Sequence[Cell]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class MapRow:
    """Mean maps of one arm, or of the difference of two: an image per outcome, and the number of images in it."""

    name: str
    pictures: Sequence[Picture | None]
    counts: Sequence[str]


@dataclass(frozen=True)
class ExampleGroup:
    """The examples of one outcome."""

    outcome: str
    meaning: str
    count: str
    examples: Sequence[Example]


@dataclass(frozen=True)
class Relabel:
    """Labels to check: a table of the most certain errors, and a data URI of a CSV file with more of them."""

    table: Table
    file: str


@dataclass(frozen=True)
class Card:
    """The content of one attribute's card.

    Attributes:
        name: Name of the attribute.
        anchor: Id of the card.
        lead: One line: prevalence, and which class is the minority.
        figures: Short headline figures: label and text.
        sentences: The results in words.
        outline: SVG path of the region; empty without one.
        maps: Rows of mean maps.
        counted: What the maps are counted from, and bias shares from there.
        limit: End of the maps' colour scale.
        example_limit: End of the examples' colour scale.
        groups: Examples by outcome.
        checks: The most certain errors, whose labels may be wrong.
        misses: The misses furthest from the threshold, of the first model.
        misses_title: How many these are, of how many.
        charts: Bias share, thresholds, calibration.
        tables: Paired differences of a contrast, and results by group.
        warnings: Reasons to doubt or to miss numbers.
    """

    name: str
    anchor: str
    lead: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    outline: str
    maps: Sequence[MapRow]
    counted: Sequence[str]
    limit: str
    example_limit: str
    groups: Sequence[ExampleGroup]
    checks: Sequence[Example]
    misses: Sequence[Example]
    misses_title: str
    charts: Sequence[Chart]
    tables: Sequence[Table]
    warnings: Sequence[str]


@dataclass(frozen=True)
class Listing:
    """Sentences about one arm, or about all arms if they are the same."""

    name: str
    entries: Sequence[str]


@dataclass(frozen=True)
class Provenance:
    """The provenance of one arm's numbers: pairs of name and value."""

    name: str
    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """The whole report.

    Attributes:
        title: Title of the page.
        kicker: Kind of page, shown above the title.
        question: The questions that the page answers.
        subject: The audited models and data: pairs of name and value.
        arms: Names of the audited models.
        labels: The labels whose counts decide which class is rarer, such as ``training labels``.
        unit: Unit of the maps, such as ``logit``.
        models: Names and labels of the rows' models: the audited ones and the first at its adjusted threshold.
        conclusions: The verdict in plain words, what to do per attribute, and what may not be relied on.
        anchors: Id of each attribute's card.
        tiles: Headline numbers.
        findings: Headline results, in sentences.
        averages: Averages of both models of a contrast, in sentences; empty for a single audit.
        notes: Notes about missing images and training counts.
        people: Errors by group; None where the audits have no groups.
        plots: Overview figures.
        columns: Columns of the table.
        rows: Rows of the table.
        undefined: Why cells of the table have no value, by column.
        cards: One per attribute.
        sets: A card per set of outputs, of a single audit.
        set_contrasts: A card per set of outputs, of a contrast.
        single_outputs: Outputs that the two models of a contrast state differently; None without such outputs.
        cells: What single cells say; None where no model was audited with a prediction grid.
        boxes: Boxes of objects; None where the audits have none.
        zoom: The zoom study; None where the audit has none, and for two models.
        label_sets: Which answers scores leave open; None where no study of sets rests on the audits.
        overlaps: Attention overlap, a figure per arm; empty where the audits have none.
        sampled: Faithfulness measures of a few images; None where none were sampled.
        unmeasured: Images, logits and masks that could not be measured, per arm; empty where audits have no such list.
        relabel: Labels to check; None where no image is misclassified.
        published: The comparison with the source paper; None where not asked for.
        rule: The rule by which examples were chosen.
        outcomes: Outcome and its meaning, in the order of the map rows.
        gradient: CSS of the evidence colours.
        explained: The explained side in words, such as ``the predicted class``.
        counted: What maps are counted from, such as ``zero``.
        definitions: Definitions of all measures.
        limits: Limits of the page: heading and text.
        provenance: Provenance per arm.
    """

    title: str
    kicker: str
    question: str
    subject: Sequence[tuple[str, str]]
    arms: Sequence[str]
    labels: str
    unit: str
    models: Sequence[tuple[str, str]]
    conclusions: Conclusions
    anchors: Mapping[str, str]
    tiles: Sequence[Tile]
    findings: Sequence[str]
    averages: Sequence[str]
    notes: Sequence[str]
    people: PeoplePart | None
    plots: Sequence[Plot]
    columns: Sequence[Column]
    rows: Sequence[TableRow]
    undefined: Sequence[str]
    cards: Sequence[Card]
    sets: Sequence[SetCard]
    set_contrasts: Sequence[SetContrastCard]
    single_outputs: Table | None
    cells: CellsPart | None
    boxes: BoxPart | None
    zoom: ZoomPart | None
    label_sets: LabelSetsPart | None
    overlaps: Sequence[Plot]
    sampled: Table | None
    unmeasured: Sequence[Listing]
    relabel: Relabel | None
    published: Table | None
    rule: str
    outcomes: Sequence[tuple[str, str]]
    gradient: str
    explained: str
    counted: str
    definitions: Sequence[Definition]
    limits: Sequence[Definition]
    provenance: Sequence[Provenance]
