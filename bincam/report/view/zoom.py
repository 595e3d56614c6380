"""Content of the page's section on the zoom study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bincam.report.view.parts import Chart, Definition, Example, Table


@dataclass(frozen=True)
class ZoomCard:
    """One question at many scales and places.

    Attributes:
        name: Name of the attribute or set.
        anchor: Id of the card.
        figures: Short headline figures: label and text.
        sentences: The results in words.
        charts: Positional bias in both definitions, and accuracy over the scale.
        examples: Images that the model's own crop gets wrong and some view right: title and pictures.
        limit: End of the colour scale of the maps in the examples; empty without maps.
        unit: Unit of these maps.
    """

    name: str
    anchor: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    charts: Sequence[Chart]
    examples: Sequence[tuple[str, Example]]
    limit: str = ""
    unit: str = ""


@dataclass(frozen=True)
class ZoomPart:
    """The section on the zoom study.

    Attributes:
        findings: A sentence for the first screen.
        lead: What was looked at, in sentences.
        tables: Oracles beside what they are worth, and further figures.
        cards: One per question.
        rule: The rule by which examples were chosen, and why they have no maps where they have none.
        definitions: Definitions of the terms.
    """

    findings: Sequence[str] = ()
    lead: Sequence[str] = ()
    tables: Sequence[Table] = ()
    cards: Sequence[ZoomCard] = ()
    rule: str = ""
    definitions: Sequence[Definition] = ()
