"""Codings of labels: what each value of a source means, stated by the user or by a format, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bincam.errors import InputError

UNKNOWN = 2
"""An unknown label in int8, beside 1 and 0."""
_MEANINGS: dict[Any, int] = {"yes": 1, "no": 0, "unknown": UNKNOWN, True: 1, False: 0, None: UNKNOWN}
_WORDS = {1: "yes", 0: "no", UNKNOWN: "unknown"}
NAMED: dict[str, dict[str, str]] = {
    "0/1": {"0": "no", "1": "yes"},
    "-1/1": {"-1": "no", "1": "yes"},
    "true/false": {"false": "no", "true": "yes"},
}
"""Codings that have a name."""
EXAMPLE = "1=yes,0=no,-1=unknown"
_WHOLE = re.compile(r"([+-]?)0*(\d+)(\.0*)?")

Labels = str | Mapping[Any, Any]
"""A coding as users state it: its name, or ``yes``, ``no`` or ``unknown`` by the value in the source."""


@dataclass(frozen=True)
class Coding:
    """The meaning of every value that a label may have in a source; an empty one is unknown, unless it is stated.

    Attributes:
        meanings: 1, 0 or ``UNKNOWN`` by the value: in small letters, and a whole number without decimals.

    Example:
        >>> coding = Coding.of({1: "yes", 0: "no", -1: "unknown"})
        >>> [coding.value(word) for word in ("1", "1.0", "0", "-1", "", "2")]
        [1, 1, 0, 2, 2, None]
        >>> print(coding)
        1 = yes, 0 = no, -1 = unknown, empty = unknown
    """

    meanings: Mapping[str, int]

    @classmethod
    def of(cls, labels: Labels) -> Coding:
        """Read a coding as it is stated.

        Args:
            labels: ``0/1``, ``-1/1`` or ``true/false``; or a mapping from values to ``yes``, ``no`` or ``unknown`` (in
                Python and YAML also true, false and null), in which ``""`` stands for an empty cell.

        Raises:
            InputError: It is none, a value has two meanings, or no value means yes, or none no.
        """
        if isinstance(labels, str):
            if labels not in NAMED:
                raise InputError(
                    f"labels={labels!r}: expected one of {', '.join(NAMED)}, or what every value means, such as "
                    f"{EXAMPLE}"
                )
            return cls({word: _MEANINGS[meaning] for word, meaning in NAMED[labels].items()})
        if not isinstance(labels, Mapping):
            raise InputError(f"labels={labels!r}: expected the name of a coding, or a meaning by value")
        meanings: dict[str, int] = {}
        for value, meaning in labels.items():
            word = canonical(str(value))
            if not isinstance(meaning, (str, bool, type(None))) or meaning not in _MEANINGS:
                raise InputError(f"labels: {word or 'empty'} is {meaning!r}; expected yes, no or unknown")
            if meanings.setdefault(word, _MEANINGS[meaning]) != _MEANINGS[meaning]:
                raise InputError(f"labels: {word or 'empty'} has two meanings, {_WORDS[meanings[word]]} and {meaning}")
        for needed in (1, 0):
            if needed not in meanings.values():
                raise InputError(f"labels: no value means {_WORDS[needed]}; state one, as in {EXAMPLE}")
        return cls(meanings)

    def value(self, word: str) -> int | None:
        """The meaning of a value, 1, 0 or ``UNKNOWN``; None of one that the coding does not state."""
        found = self.meanings.get(canonical(word))
        return UNKNOWN if found is None and not word.strip() else found

    def reads(self, words: Iterable[str]) -> bool:
        """True if the coding states the meaning of every one of these values."""
        return all(self.value(word) is not None for word in words)

    def __str__(self) -> str:
        stated = dict(self.meanings) if "" in self.meanings else {**self.meanings, "": UNKNOWN}
        return ", ".join(f"{word or 'empty'} = {_WORDS[meaning]}" for word, meaning in stated.items())

    def labels(self, values: Iterable[Any]) -> list[float]:
        """The labels of values in memory: 1.0, 0.0 or NaN.

        Raises:
            InputError: The coding does not state the meaning of one.

        >>> Coding.of("-1/1").labels([-1, 1, ""])
        [0.0, 1.0, nan]
        """
        found = []
        for value in values:
            meaning = self.value(str(value))
            if meaning is None:
                raise InputError(f"label {value!r}; expected {self}")
            found.append(np.nan if meaning == UNKNOWN else float(meaning))
        return found


def canonical(word: str) -> str:
    """Write a value so that equal ones are equal: in small letters, whole numbers without decimals.

    >>> canonical(" TRUE"), canonical("-1.0"), canonical("+01"), canonical("0.5")
    ('true', '-1', '1', '0.5')
    """
    text = word.strip().lower()
    if (whole := _WHOLE.fullmatch(text)) is None:
        return text
    return f"{'-' if whole[1] == '-' and whole[2] != '0' else ''}{whole[2]}"


def to_state(values: Iterable[str]) -> str:
    """Write what has to be stated of these values, as ``--labels`` takes it once their meanings are filled in.

    >>> to_state(["1", "-1", "0"])
    '--labels -1=...,0=...,1=...'
    """
    words = dict.fromkeys(sorted(map(canonical, values)))
    return f"--labels {','.join(_quoted(f'{word}=...') for word in words)}"


def _quoted(entry: str) -> str:
    return '"' + entry.replace('"', '""') + '"' if {",", '"'} & {*entry} else entry
