"""Divisions of the images of a long audit, whose value is known shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.groups.divisions import (
    MOST_VALUES,
    USUAL,
    Slicing,
    columns_of,
    divides_itself,
    indivisible,
)
from bincam.audit.summary.streamed.records import Part, Records
from bincam.audit.summary.streamed.scores import Scores
from bincam.errors import InputError

SIDES = ("positive", "negative")
_NOBODY = np.zeros(0, np.int64)
SAMPLED = "a set of outputs divides the images of a sample alone"


@dataclass(frozen=True)
class OneColumn:
    """The division by one column.

    Attributes:
        slicing: Its name and values, without the images.
        of_rows: ``(N,)``: the value of every row of a group column; None for an attribute.
        attribute: The attribute's position; -1 for a group column.
    """

    slicing: Slicing
    of_rows: NDArray[np.int32] | None
    attribute: int = -1

    def place(self, part: Part) -> NDArray[np.int32]:
        """Return the values ``(n,)`` of the images of a shard; -1 where unknown."""
        if self.of_rows is not None:
            return self.of_rows[part.rows]
        label = part.label[:, self.attribute]
        result = np.full(len(label), -1, np.int32)
        for number, side in enumerate(self.slicing.values):
            result[label == (1 if side == SIDES[0] else 0)] = number
        return result


@dataclass(frozen=True)
class Division:
    """A division by one column or by the combinations of several.

    Attributes:
        slicing: Its name and values, without the images.
        columns: Its columns.
    """

    slicing: Slicing
    columns: tuple[OneColumn, ...]

    def place(self, part: Part) -> NDArray[np.int32]:
        """Return the values ``(n,)`` of the images of a shard; -1 where one column's is unknown."""
        codes = np.zeros(len(part.rows), np.int32)
        known = np.ones(len(part.rows), bool)
        for column in self.columns:
            own = column.place(part)
            codes = codes * len(column.slicing.values) + np.maximum(own, 0)
            known &= own >= 0
        return np.where(known, codes, -1).astype(np.int32)


def divisions_of(
    records: Records, scores: Scores, by: Sequence[str] | None = None
) -> tuple[list[Division], list[dict[str, str]]]:
    """Choose the divisions of the images, as ``slicings`` does.

    Args:
        records: The records.
        scores: Of the first scan, which knows the labels that there are.
        by: Group columns, attributes or intersections; all group columns and the usual attributes by default.

    Returns:
        The divisions, and what was left out, with the reason.

    Raises:
        InputError: As for ``slicings``; a set of outputs is left out.
    """
    groups = list(records.groups)
    wanted = list(by) if by is not None else [*groups, *(name for name in USUAL if name in records.attributes)]
    sets = records.audit.one_of
    of_sets = [*sets, *(output for members in sets.values() for output in members)]
    known = [*groups, *(name.removeprefix("group.") for name in groups), *records.attributes, *of_sets]
    divisions: list[Division] = []
    left_out: list[dict[str, str]] = []
    for name in wanted:
        parts = columns_of(name, known)
        if any(part in of_sets and part not in records.attributes for part in parts):
            left_out.append({"column": name, "reason": SAMPLED})
            continue
        columns = [_one(records, scores, part) for part in parts]
        values = {one.slicing.column: one.slicing.values for one in columns}
        reason = indivisible(values)
        if reason and by is not None:
            raise InputError(f"cannot slice: {reason}")
        if reason := reason or divides_itself(values, records.attributes, ()):
            left_out.append({"column": name, "reason": reason})
            continue
        divisions.append(Division(Slicing.crossing([one.slicing for one in columns]), tuple(columns)))
    return divisions, left_out


def _one(records: Records, scores: Scores, name: str) -> OneColumn:
    column = name if name in records.groups else f"group.{name}"
    if column in records.groups:
        encoded = records.groups[column]
        texts: list[str] = encoded.dictionary.to_pylist()
        values = tuple(sorted(set(texts) - {""}))
        place = {value: number for number, value in enumerate(values)}
        codes = np.array([place.get(text, -1) for text in texts], np.int32)
        of_rows = codes[encoded.indices.to_numpy(zero_copy_only=False)] if len(values) <= MOST_VALUES else None
        return OneColumn(Slicing.of(column, values, _NOBODY), of_rows)
    a = records.attributes.index(name)
    negatives, positives = scores.histogram[a].sum(1)
    sides = tuple(side for side, count in zip(SIDES, (positives, negatives), strict=True) if count)
    return OneColumn(Slicing.of(name, sides, _NOBODY), None, a)
