"""Content of the page about prediction grids, for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bincam.report.view.parts import Definition, Example, Table


@dataclass(frozen=True)
class CellExamples:
    """Examples of the missed images of one kind: what they have in common, how many there are, and a few of them."""

    title: str
    count: str
    examples: Sequence[Example]


@dataclass(frozen=True)
class CellCard:
    """What single cells say of one attribute or output.

    Attributes:
        name: Name of the attribute or output.
        anchor: Id of the card.
        figures: Short headline figures: label and text.
        sentences: The results in words.
        tables: Figures beside their nulls; other poolings; what small objects lose; hidden objects.
        groups: Examples.
        legend: What the colours of the examples mean.
    """

    name: str
    anchor: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    tables: Sequence[Table]
    groups: Sequence[CellExamples]
    legend: str


@dataclass(frozen=True)
class CellsPart:
    """The page's part about prediction grids.

    Attributes:
        lead: What is shown, in sentences.
        overall: Figures over all attributes, and over the outputs of each set.
        cards: One per attribute and output.
        findings: Sentences for the page's first screen.
        rule: The rule by which examples were chosen.
        definitions: Definitions of the measures.
    """

    lead: Sequence[str]
    overall: Sequence[Table]
    cards: Sequence[CellCard]
    findings: Sequence[str]
    rule: str
    definitions: Sequence[Definition]
