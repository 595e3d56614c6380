"""Divisions of the images: by the values of a group column or an attribute, or by the intersections of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.panel import Panel
from bincam.errors import InputError, nearest
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES

USUAL = ("Male", "Young")
"""Attributes to slice by where the audit has them."""

MOST_VALUES = 20
"""Greatest number of values of a column to slice by."""

MOST_CELLS = 64
"""Greatest number of combinations of values to slice by."""

TIMES = "*"
"""Between the columns of an intersection, and between their values."""


@dataclass(frozen=True)
class Slicing:
    """A division of images by the values of a column, or by the combinations of values of several.

    Attributes:
        column: A group column or an attribute; those of an intersection joined by ``*``.
        values: Its values; combinations are joined by ``*``, and listed even where they have no image.
        codes: ``(N,)``: index of the value; -1 where it is unknown.
        columns: The columns, one or several.
        parts: For each value, that of each column.
    """

    column: str
    values: tuple[str, ...]
    codes: NDArray[np.int64]
    columns: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, column: str, values: Sequence[str], codes: NDArray[np.int64]) -> Slicing:
        """Make the division by one column."""
        return cls(column, tuple(values), codes, (column,), tuple((value,) for value in values))

    @classmethod
    def crossing(cls, divisions: Sequence[Slicing]) -> Slicing:
        """Make the division by all combinations of the values of several columns."""
        if len(divisions) == 1:
            return divisions[0]
        parts = tuple(product(*(division.values for division in divisions)))
        codes, known = np.zeros(len(divisions[0].codes), np.int64), np.ones(len(divisions[0].codes), bool)
        for division in divisions:
            codes = codes * len(division.values) + np.maximum(division.codes, 0)
            known &= division.codes >= 0
        columns = tuple(division.column for division in divisions)
        values = tuple(TIMES.join(of_columns) for of_columns in parts)
        return cls(TIMES.join(columns), values, np.where(known, codes, -1), columns, parts)

    def sound(self, measure: NDArray[np.floating], clusters: Clusters) -> NDArray[np.int64]:
        """Renumber the codes ``(N,)`` of the values that are not small for a measure ``(N,)``; -1 for the others."""
        result = np.full(len(self.codes), -1, np.int64)
        number = 0
        for code in range(len(self.values)):
            here = (self.codes == code) & np.isfinite(measure)
            people = clusters.identities(here)
            if here.sum() >= MIN_IMAGES and (people is None or people >= MIN_IDENTITIES):
                result[here] = number
                number += 1
        return result

    def to_json(self) -> dict[str, Any]:
        """Return the name of the division in entries of a summary, with the columns of an intersection."""
        return {"column": self.column} | ({"columns": list(self.columns)} if len(self.columns) > 1 else {})

    def value_to_json(self, value: str) -> dict[str, Any]:
        """Return the name of one of the values, with its parts in an intersection."""
        parts = self.parts[self.values.index(value)]
        return {"value": value} | ({"values": list(parts)} if len(parts) > 1 else {})


def slicings(panel: Panel, by: Sequence[str] | None = None) -> tuple[list[Slicing], list[dict[str, str]]]:
    """Choose the divisions of the images.

    Args:
        panel: The records, with the groups of their images.
        by: Group columns (``sex`` or ``group.sex``), attributes, sets of outputs, or intersections (``sex*age``); all
            group columns and the ``USUAL`` attributes by default.

    Returns:
        The divisions, and the defaults and intersections that were left out, with the reason.

    Raises:
        InputError: A column of ``by`` is unknown, has one value, or more than ``MOST_VALUES``; or an intersection has
            more than ``MOST_CELLS`` combinations.
    """
    groups = list(panel.groups)
    wanted = list(by) if by is not None else [*groups, *(name for name in USUAL if name in panel.divisible)]
    known = [*groups, *(name.removeprefix("group.") for name in groups), *panel.divisible]
    divisions: list[Slicing] = []
    left_out: list[dict[str, str]] = []
    for name in wanted:
        values: dict[str, Collection[str]] = {}
        of_columns: dict[str, NDArray[np.int64] | None] = {}
        for part in columns_of(name, known):
            column, of_column, codes = _codes(panel, part)
            values[column], of_columns[column] = of_column, codes
        sets = {**panel.one_of, **panel.large}
        reason = indivisible(values)
        if reason and by is not None:
            raise InputError(f"cannot slice: {reason}")
        if reason := reason or divides_itself(values, panel.attributes, sets):
            left_out.append({"column": name, "reason": reason})
            continue
        parts = [Slicing.of(c, tuple(values[c]), codes) for c, codes in of_columns.items() if codes is not None]
        division = Slicing.crossing(parts)
        if len(np.unique(division.codes[division.codes >= 0])) < 2:  # known after the pass alone, so not refused
            left_out.append({"column": name, "reason": f"fewer than two combinations of {name} have images"})
            continue
        divisions.append(division)
    return divisions, left_out


def columns_of(name: str, known: Collection[str]) -> tuple[str, ...]:
    """Split the name of an intersection, such as ``sex*age``, into its columns; a known name is not split.

    Args:
        name: As typed.
        known: Names of group columns and attributes.

    Raises:
        InputError: A column is unknown, or given twice.

    >>> columns_of("sex * age", ["sex", "age"]), columns_of("a*b", ["a*b", "a", "b"])
    (('sex', 'age'), ('a*b',))
    """
    if name in known:
        return (name,)
    parts = tuple(part.strip() for part in name.split(TIMES))
    for part in parts:
        if part not in known:
            within = f" in {name!r}" if len(parts) > 1 else ""
            raise InputError(f"cannot slice by {part!r}{within}{nearest(part, sorted(known))}")
        if [other.removeprefix("group.") for other in parts].count(part.removeprefix("group.")) > 1:
            raise InputError(f"cannot slice by {name!r}: {part!r} is given twice")
    return parts


def divides_itself(columns: Collection[str], attributes: Collection[str], sets: Collection[str]) -> str:
    """Give the reason why a division divides nothing that is audited; empty where it does.

    Args:
        columns: Of the division.
        attributes: The audited ones.
        sets: The audited sets of outputs.

    >>> divides_itself(["Smiling"], ["Smiling"], []), divides_itself(["Smiling"], ["Smiling", "Bald"], [])
    ('no attribute is divided by itself, and nothing but Smiling is audited', '')
    """
    if sets or not set(attributes) <= set(columns):
        return ""
    return f"no attribute is divided by itself, and nothing but {', '.join(attributes)} is audited"


def _codes(panel: Panel, name: str) -> tuple[str, tuple[str, ...], NDArray[np.int64] | None]:
    """Return a column's full name, its values, and the index of each image's; no index for more than MOST_VALUES."""
    column = name if name in panel.groups else f"group.{name}"
    if column in panel.groups:
        of_images = panel.groups[column]
        values = tuple(sorted(set(of_images) - {""}))
        if len(values) > MOST_VALUES:
            return column, values, None
        place = {value: number for number, value in enumerate(values)}
        return column, values, np.array([place.get(value, -1) for value in of_images], np.int64)
    sets = {**panel.one_of, **panel.large}
    if name in sets:
        outputs, true = sets[name], panel.true_output(name)
        shown = [k for k in range(len(outputs)) if (true == k).any()]
        if len(shown) > MOST_VALUES:
            return name, tuple(outputs[k] for k in shown), None
        code_of = np.array([*(shown.index(k) if k in shown else -1 for k in range(len(outputs))), -1])
        return name, tuple(outputs[k] for k in shown), code_of[true]
    label = _label(panel, name)
    sides = {text: side for text, side in (("positive", 1), ("negative", 0)) if (label == side).any()}
    codes = np.full(len(label), -1, np.int64)
    for number, side in enumerate(sides.values()):
        codes[label == side] = number
    return name, tuple(sides), codes


def _label(panel: Panel, name: str) -> NDArray[np.floating]:
    """Return the labels ``(N,)`` of an attribute or of an output of a set: 1, 0, NaN."""
    if name in panel.attributes:
        return panel.label_of(name)
    owner = next(of_set for of_set, members in panel.large.items() if name in members)
    true = panel.true_output(owner)
    return np.where(true < 0, np.nan, true == panel.large[owner].index(name))


def indivisible(values: Mapping[str, Collection[str]], where: str = "") -> str:
    """Give the reason why columns with these values divide nothing; empty where they do.

    Args:
        values: The values of each column of an intersection, or of a single one.
        where: What has these values, for the message.

    >>> indivisible({"sex": ["f", "m"], "age": ["old"]}, " in the 10 audited images")
    "age has only the value 'old' in the 10 audited images, so there is nothing to compare"
    """
    for column, of_column in values.items():
        if len(of_column) > MOST_VALUES:
            return f"{column} has {len(of_column)} values, more than {MOST_VALUES}; choose a column with fewer values"
        if len(of_column) < 2:
            what = f"only the value {next(iter(of_column))!r}" if of_column else "no value"
            return f"{column} has {what}{where}, so there is nothing to compare"
    cells = prod(len(of_column) for of_column in values.values())
    if cells > MOST_CELLS:
        return (
            f"{TIMES.join(values)} has {cells} combinations of values, more than {MOST_CELLS}; choose columns with "
            "fewer values"
        )
    return ""
