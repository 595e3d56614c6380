"""What the report's template prints: words, numbers already formatted, pictures already drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A raster picture.

    Attributes:
        source: Data URI.
        alt: The picture in words.
        link: The full-size file beside the page, relative to it; empty without one.
    """

    source: str
    alt: str
    link: str = ""


@dataclass(frozen=True)
class Plot:
    """A figure of the overview.

    Attributes:
        title: A statement of what is shown.
        svg: The inline element.
        reading: How to read it.
        finding: What it comes to, in figures; also its text alternative.
    """

    title: str
    svg: str
    reading: str
    finding: str


@dataclass(frozen=True)
class Tile:
    """A headline number: ``label``, ``value``, its ``interval`` and a short ``note``."""

    label: str
    value: str
    interval: str
    note: str


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: Name in the CSV and the JSON.
        head: What the button says.
        group: What stands above several heads; empty for none.
        kind: ``text``, ``percent``, ``number`` or ``count``.
        help: What is counted.
        further: Whether it is shown on demand alone.
    """

    key: str
    head: str
    group: str
    kind: str
    help: str
    further: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of the table.

    Attributes:
        text: As shown.
        sort: What it is sorted by; None sorts last.
        interval: As shown under the text.
        small: Whether it rests on too few images.
        note: On which images it rests.
        link: Anchor to go to.
    """

    text: str
    sort: float | str | None
    interval: str = ""
    small: bool = False
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class TableRow:
    """An attribute of an arm: its cells, and the same unformatted for the downloads."""

    arm: str
    name: str
    cells: Sequence[Cell]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class MapRow:
    """Mean maps of one arm, or of the difference of two: a picture per outcome, and how many images are in it."""

    name: str
    pictures: Sequence[Picture | None]
    counts: Sequence[str]


@dataclass(frozen=True)
class Example:
    """One image: the photograph, a map per arm, and what was said of it."""

    photograph: Picture | None
    maps: Sequence[Picture | None]
    caption: str
    verdicts: Sequence[str]


@dataclass(frozen=True)
class ExampleGroup:
    """The examples of one outcome."""

    outcome: str
    meaning: str
    count: str
    examples: Sequence[Example]


@dataclass(frozen=True)
class Chart:
    """A small figure of one attribute, with its caption's lines."""

    svg: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes:
        title: What stands above it.
        caption: What stands below it.
        heads: Of the columns.
        rows: Of cells; those without a note are words, those with one are numbers.
    """

    title: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Card:
    """All that the report says of one attribute.

    Attributes:
        name: Of the attribute.
        anchor: Of the card.
        lead: One line: prevalence, and which class is the minority.
        figures: Short headline figures: label and text.
        sentences: What was found.
        outline: SVG path of the region; empty without one.
        maps: Rows of mean maps.
        limit: End of the maps' colour scale, with its unit.
        example_limit: End of the examples' colour scale.
        groups: Examples by outcome.
        charts: Bias share, thresholds, calibration.
        tables: Paired differences of a contrast, and results by group.
        warnings: What the numbers cannot bear.
    """

    name: str
    anchor: str
    lead: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    outline: str
    maps: Sequence[MapRow]
    limit: str
    example_limit: str
    groups: Sequence[ExampleGroup]
    charts: Sequence[Chart]
    tables: Sequence[Table]
    warnings: Sequence[str]


@dataclass(frozen=True)
class Definition:
    """A term, and what it means here."""

    term: str
    text: str


@dataclass(frozen=True)
class Listing:
    """Sentences about one arm, or about all where these say the same."""

    name: str
    entries: Sequence[str]


@dataclass(frozen=True)
class Provenance:
    """Where one arm's numbers come from: pairs of name and value."""

    name: str
    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """The whole report.

    Attributes:
        title: Of the page.
        kicker: What kind of page it is.
        question: What was asked.
        subject: What was audited: pairs of name and value.
        arms: Names of the audited models.
        models: The same, and of the threshold-moved one between them.
        tiles: Headline numbers.
        findings: What was found, in sentences.
        averages: What a contrast's models come to on average, in sentences; empty for a single audit.
        notes: What a reader must know of images or cells that are missing.
        plots: Overview figures.
        columns: Of the table.
        rows: Of the table.
        cards: One per attribute.
        overlaps: Attention overlap, a figure per arm; empty where the audits have none.
        sampled: Measures of a few images; None where none were drawn.
        unmeasured: What could not be measured, per arm; empty where the audits do not say.
        published: The source paper's figures beside these; None where not asked for.
        rule: How examples were chosen.
        outcomes: Outcome and its meaning, in the order of the map rows.
        gradient: CSS of the evidence colours.
        explained: What maps and ledger speak for, such as ``the answer given``.
        definitions: Of every measure.
        limits: What the page cannot say: heading and text.
        provenance: Per arm.
    """

    title: str
    kicker: str
    question: str
    subject: Sequence[tuple[str, str]]
    arms: Sequence[str]
    models: Sequence[str]
    tiles: Sequence[Tile]
    findings: Sequence[str]
    averages: Sequence[str]
    notes: Sequence[str]
    plots: Sequence[Plot]
    columns: Sequence[Column]
    rows: Sequence[TableRow]
    cards: Sequence[Card]
    overlaps: Sequence[Plot]
    sampled: Table | None
    unmeasured: Sequence[Listing]
    published: Table | None
    rule: str
    outcomes: Sequence[tuple[str, str]]
    gradient: str
    explained: str
    definitions: Sequence[Definition]
    limits: Sequence[Definition]
    provenance: Sequence[Provenance]
