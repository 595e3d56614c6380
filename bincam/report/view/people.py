"""Errors by group of people, for the first screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bincam.report.view.parts import Table


@dataclass(frozen=True)
class PeoplePart:
    """Errors by group.

    Attributes:
        sentences: What was found, per model and division.
        table: The greatest differences; None where no two groups could be compared.
        notes: Groups of too few people, and summaries of earlier versions.
        changes: How the gaps differ between two models; None for one, and where that is not known.
    """

    sentences: Sequence[str]
    table: Table | None
    notes: Sequence[str]
    changes: Table | None = None
