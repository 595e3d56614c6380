"""Figures of finished jobs over their seeds: mean, range, number of seeds, and what becomes of a claim."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]
OPEN = "not run yet"


def at(result: Result, path: str) -> float | None:
    """Look up a figure by keys separated by slashes; of an estimate its value. None where it is undefined.

    >>> at({"figures": {"cells": {"recovery": {"value": 0.9}}}}, "cells/recovery")
    0.9
    >>> at({"figures": {"cells": {"recovery": {"low": 0.8, "value": 0.9}}}}, "cells/recovery/low")
    0.8
    """
    found: Any = result["figures"]
    for key in path.split("/"):
        found = found[int(key) if isinstance(found, list) else key]
    value = found["value"] if isinstance(found, Mapping) else found
    return None if value is None else float(value)


def shown(values: Iterable[float | None], digits: int = 2) -> str:
    """Format the mean of seeds and their range; of one seed its value; a dash where all are undefined.

    >>> shown([0.5, 0.7]), shown([0.25]), shown([None]), shown([])
    ('.60 [.50, .70]', '.25', '–', 'not run yet')
    """
    given = list(values)
    known = [value for value in given if value is not None]
    if not known:
        return "–" if given else OPEN
    mean = number(math.fsum(known) / len(known), digits)
    return mean if len(known) == 1 else f"{mean} [{number(min(known), digits)}, {number(max(known), digits)}]"


def number(value: float, digits: int = 2) -> str:
    """Format a number of this project's tables: no zero before the point.

    >>> number(0.066), number(-0.5, 1), number(1.0)
    ('.07', '-.5', '1.00')
    """
    text = f"{value:.{digits}f}"
    if text.startswith("0."):
        return text[1:]
    return "-" + text[2:] if text.startswith("-0.") else text


def verdict(met: Sequence[bool]) -> str:
    """Say whether a claim holds: its criterion is met in every seed, in none, or in some.

    >>> [verdict(seeds) for seeds in ([True], [False], [True, False], [])]
    ['holds', 'fails', 'depends', 'not run yet']
    """
    if not met:
        return OPEN
    return "holds" if all(met) else "depends" if any(met) else "fails"


def seeds(results: Sequence[Result]) -> str:
    """Count seeds.

    >>> seeds([{}]), seeds([])
    ('1 seed', '0 seeds')
    """
    return f"{len(results)} seed{'' if len(results) == 1 else 's'}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a Markdown table.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    ruler = "|" + "---|" * len(head)
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], ruler, *lines[1:]])
