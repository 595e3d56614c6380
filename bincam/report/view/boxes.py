"""Content of the page's section on boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bincam.report.view.parts import Chart, Definition, Example, Table


@dataclass(frozen=True)
class BoxCard:
    """The boxes of one attribute.

    Attributes:
        name: Name of the attribute.
        anchor: Id of the card.
        figures: Short headline figures: label and text.
        sentences: The results in words.
        chart: Accuracy over the threshold.
        limit: End of the examples' colour scale.
        examples: The best, the median and the worst box: title and picture.
    """

    name: str
    anchor: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    chart: Chart
    limit: str
    examples: Sequence[tuple[str, Example]]


@dataclass(frozen=True)
class BoxPart:
    """The section on boxes.

    Attributes:
        findings: A sentence per model for the first screen.
        lead: What was compared with what.
        tables: Figures beside what they must beat, further scores, and the paired differences of a contrast.
        cards: One per attribute.
        rule: The rule by which examples were chosen.
        definitions: Definitions of the terms.
    """

    findings: Sequence[str] = ()
    lead: str = ""
    tables: Sequence[Table] = ()
    cards: Sequence[BoxCard] = ()
    rule: str = ""
    definitions: Sequence[Definition] = ()
