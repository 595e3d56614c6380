"""Content of the page's section on label sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bincam.report.view.parts import Chart, Definition, Table


@dataclass(frozen=True)
class LabelSetCard:
    """The label sets of one attribute, or of one set of outputs.

    Attributes:
        name: Name of the subject.
        anchor: Id of the card.
        figures: Short headline figures: label and text.
        sentences: The results in words.
        charts: Coverage against size, sizes, coverage per class.
        tables: All rules, coverage by slice.
    """

    name: str
    anchor: str
    figures: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    charts: Sequence[Chart]
    tables: Sequence[Table]


@dataclass(frozen=True)
class LabelSetsPart:
    """The section on label sets.

    Attributes:
        findings: A sentence per model for the first screen.
        lead: What was calibrated on what.
        notes: What must be known of it.
        tables: All subjects; recall of attributes.
        chart: Recall of each attribute by three rules; None without attributes.
        cards: One per subject of a single audit.
        definitions: Definitions of the terms.
    """

    findings: Sequence[str] = ()
    lead: Sequence[str] = ()
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    chart: Chart | None = None
    cards: Sequence[LabelSetCard] = ()
    definitions: Sequence[Definition] = ()
