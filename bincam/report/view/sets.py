"""Content of the page about sets of outputs, for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bincam.report.view.parts import Chart, Definition, Example, Picture, Table, Tile


@dataclass(frozen=True)
class OutputMaps:
    """Mean maps of one output by outcome, and the number of images in each; ``outline`` is its region as SVG path."""

    name: str
    anchor: str
    pictures: Sequence[Picture | None]
    counts: Sequence[str]
    outline: str


@dataclass(frozen=True)
class SetCard:
    """The content of the card of one set.

    Attributes:
        name: Name of the set.
        anchor: Id of the card.
        lead: One line: outputs, and which of them are the minority.
        figures: Short headline figures: label and text.
        sentences: The results in words.
        confusion: The confusion table as a heat map; None for a large set.
        confidence: Reliability of the probability of the predicted output; None where the audit has none.
        outputs: Table of the outputs.
        confusions: The most frequent confusions, of a large set; else None.
        maps: Mean maps of the outputs, or of the predicted and the true output of a large set.
        limit: End of the maps' colour scale.
        uncertain: Images whose predicted output has p < 1/2.
        errors: The most certain errors, whose labels may be wrong.
        example_limit: End of the examples' colour scale.
        tables: Results by group.
        warnings: Reasons to doubt or to miss numbers.
    """

    name: str
    anchor: str
    lead: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    confusion: Chart | None
    confidence: Chart | None
    outputs: Table
    confusions: Table | None
    maps: Sequence[OutputMaps]
    limit: str
    uncertain: Sequence[Example]
    errors: Sequence[Example]
    example_limit: str
    tables: Sequence[Table]
    warnings: Sequence[str]


@dataclass(frozen=True)
class SetContrastCard:
    """The content of the card of one set on the page of a contrast.

    Attributes:
        name: Name of the set.
        anchor: Id of the card.
        lead: One line: outputs, and which of them are the minority.
        figures: Short headline figures of both models: label and text.
        sentences: The comparison in words.
        differences: Table of the rates of both models and their paired differences.
        confusions: The confusion table of each model as a heat map; empty for a large set.
        most: Each model's most frequent confusions, of a large set.
        outputs: Table of the outputs' misses and false alarms; None where the contrast has none.
        maps: Mean maps of both models and their difference; empty where only one audit has a row per output.
        limit: End of the maps' colour scale.
        maps_hint: Which outputs the maps are of; empty for all.
        warnings: Reasons to doubt or to miss numbers.
    """

    name: str
    anchor: str
    lead: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    differences: Table
    confusions: Sequence[Chart]
    most: Sequence[Table]
    outputs: Table | None
    maps: Sequence[OutputMaps]
    limit: str
    maps_hint: str
    warnings: Sequence[str]


@dataclass(frozen=True)
class SetsPart:
    """What sets add to the page: cards of an audit or of a contrast, headline numbers, findings and definitions.

    ``outputs`` are those that the two models of a contrast state differently.
    """

    cards: Sequence[SetCard] = ()
    contrasts: Sequence[SetContrastCard] = ()
    outputs: Table | None = None
    tiles: Sequence[Tile] = ()
    findings: Sequence[str] = ()
    definitions: Sequence[Definition] = ()
