"""Statements of a verdict, and the words that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bincam.stats.formatting import listed

Tone = Literal["good", "bad", "care", "plain"]

MOST_NAMED = 4


@dataclass(frozen=True)
class Statement:
    """A sentence of the verdict.

    Attributes:
        rule: The rule that made it, as ``docs/report.md`` names it.
        text: The sentence.
        behind: The figures that it rests on, with intervals.
        tone: ``bad`` for harm, ``care`` for what may not be relied on, ``good``, or ``plain``.
    """

    rule: str
    text: str
    behind: str = ""
    tone: Tone = "plain"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def named(names: Sequence[str]) -> str:
    """Name a few, and count the rest.

    >>> named(["a", "b"]), named(list("abcdef"))
    ('a and b', 'a, b, c, d and 2 more')
    """
    if len(names) <= MOST_NAMED:
        return listed(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"


def capital(text: str) -> str:
    """Begin a text with a capital letter.

    >>> capital("the model")
    'The model'
    """
    return text[:1].upper() + text[1:]
