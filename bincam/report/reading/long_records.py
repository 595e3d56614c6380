"""Records of a long audit, of all of its images: held for some attributes at a time, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.audit import Audit
from bincam.audit.folder.parts.columns import Places, read_rows
from bincam.errors import InputError
from bincam.stats.outcomes import OUTCOMES, answers

ANSWERS_BUDGET, MEASURE_BUDGET = 3 << 28, 1 << 28
"""Bytes for labels and logits, and for a measure, that are held at once: with more, the records are read again."""

UNKNOWN = -1
"""Stands for a label that is not known."""


@dataclass(frozen=True)
class _Block:
    """Columns of some attributes, ``(A, N)`` each."""

    attributes: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]


class LongRecords:
    """The records of an audit's yes-or-no attributes, one attribute at a time.

    Labels take a byte and logits four for each image and attribute; outcomes follow from them. What does not fit into
    the budget is read when it is asked for, a block of attributes in a scan over the shards, so whoever goes through
    the attributes in the order given reads each block once.
    """

    def __init__(
        self,
        audit: Audit,
        order: Sequence[str],
        *,
        answers_budget: int = ANSWERS_BUDGET,
        measure_budget: int = MEASURE_BUDGET,
    ) -> None:
        """Prepare the reading; no file is read.

        Args:
            audit: The audit.
            order: Names of the attributes, as they will be asked for.
            answers_budget: Bytes for labels and logits.
            measure_budget: Bytes for another column.
        """
        self.audit, self.order = audit, tuple(order)
        self._budgets = {"answers": answers_budget, "measure": measure_budget}
        self._held: dict[str, _Block] = {}

    @cached_property
    def _read(self) -> NDArray[np.bool_]:
        return read_rows(self.audit)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """``(N,)``: the rows of the images that were read, ascending."""
        return np.flatnonzero(self._read).astype(np.int64)

    @cached_property
    def _places(self) -> Places:
        return Places.of(self.audit, self.rows, self._read)

    @cached_property
    def _thresholds(self) -> dict[str, float]:
        """The thresholds of the first image, which ``_answers`` compares with the others'."""
        for at, (threshold,) in self._places.parts(["threshold"], self.order, ""):
            if len(at):
                return dict(zip(self.order, threshold[:, 0].tolist(), strict=True))
        raise InputError(f"{self.audit.folder}: no image was read, so there is nothing to show")

    def threshold(self, attribute: str) -> float:
        """Return the threshold of an attribute, in logit units."""
        return self._thresholds[attribute]

    def column(self, attribute: str, name: str) -> NDArray[Any]:
        """Return a column ``(N,)`` of an attribute: float64, or strings of ``outcome``.

        Args:
            attribute: One of ``order``.
            name: ``label``, ``logit``, ``threshold``, ``outcome`` or a measure.

        Raises:
            InputError: An image lacks some of its records.
        """
        if name == "threshold":
            return np.full(len(self.rows), self.threshold(attribute))
        if name not in ("label", "logit", "outcome"):
            return self._of(self._block("measure", attribute, name), attribute, name).astype(np.float64)
        block = self._block("answers", attribute)
        label, logit = (self._of(block, attribute, of) for of in ("label", "logit"))
        if name == "logit":
            return logit.astype(np.float64)
        if name == "label":
            return np.where(label == UNKNOWN, np.nan, label.astype(np.float64))
        side = answers(logit, np.float32(self.threshold(attribute)))
        place = np.where(side > 0, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3))
        return np.array([*OUTCOMES, ""])[np.where((side == 0) | (label == UNKNOWN), len(OUTCOMES), place)]

    def _of(self, block: _Block, attribute: str, name: str) -> NDArray[Any]:
        values: NDArray[Any] = block.columns[name][block.attributes.index(attribute)]
        return values

    def _block(self, kind: str, attribute: str, measure: str = "") -> _Block:
        """Return the block that has an attribute, which takes the place of the one that was read before."""
        held = self._held.get(kind)
        if held is not None and attribute in held.attributes and (not measure or measure in held.columns):
            return held
        self._held.pop(kind, None)  # before the next one is read: both would not fit
        size = max(1, self._budgets[kind] // ((5 if kind == "answers" else 4) * max(len(self.rows), 1)))
        start = self.order.index(attribute) // size * size
        names = self.order[start : start + size]
        self._held[kind] = self._measure(names, measure) if measure else self._answers(names)
        return self._held[kind]

    def _measure(self, names: tuple[str, ...], measure: str) -> _Block:
        values = np.full((len(names), len(self.rows)), np.nan, np.float32)
        for at, (found,) in self._places.parts([measure], names, ""):
            values[:, at] = found
        return _Block(names, {measure: values})

    def _answers(self, names: tuple[str, ...]) -> _Block:
        shape = len(names), len(self.rows)
        labels, logits = np.full(shape, UNKNOWN, np.int8), np.full(shape, np.nan, np.float32)
        stated = np.array([[self.threshold(name)] for name in names], np.float32)
        columns = ("label", "logit", "threshold")
        for at, (label, logit, threshold) in self._places.parts(columns, names, ""):
            labels[:, at] = np.where(np.isnan(label), UNKNOWN, label > 0)
            logits[:, at] = logit
            if not np.array_equal(threshold, np.broadcast_to(stated, threshold.shape), equal_nan=True):
                raise InputError(
                    f"{self.audit.folder}: the images were decided at different thresholds; make the audit again"
                )
        return _Block(names, {"label": labels, "logit": logits})
