"""The first scan over the records of a long audit: measures by cluster and outcome, their means and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.attributes import error_rates, overall_of
from bincam.audit.summary.bounds import bounds, is_proportion
from bincam.audit.summary.streamed.kernels import add_measures
from bincam.audit.summary.streamed.records import Records
from bincam.audit.summary.streamed.scores import Scores
from bincam.audit.summary.streamed.totals import CellTotals, blocks_of
from bincam.stats.clustered.attribute_average import AttributeAverage
from bincam.stats.clustered.contributions import correlation
from bincam.stats.estimate import Estimate, Floats
from bincam.stats.hypotheses.hypothesis_tests import Test, difference_test_of_totals, family
from bincam.stats.outcomes import BASIC, GROUPS, MEMBERSHIP, basic_name

Entry = dict[str, Any]
ERRORS = "minority error exceeds majority error"
Tests = list[tuple[dict[str, Any], Test]]


def members_of(group: str, minority: int) -> NDArray[np.float32]:
    """Return the cells ``(6,)`` of a group of ``GROUPS``: 1 for its members.

    >>> members_of("true:minority", 1).tolist()  # TP, FP, FN, TN and two without a label
    [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    return np.asarray(MEMBERSHIP[BASIC.index(basic_name(group, minority))])


class ClassTests:
    """Collects the tests of ``class_families``, measure by measure."""

    def __init__(self, attributes: Sequence[str], minority: Sequence[int]) -> None:
        """Start without tests; ``minority`` is +1 or -1 by attribute."""
        self._attributes, self._minority = attributes, minority
        self._errors: Tests = []
        self._measures: dict[str, dict[str, Tests]] = {}

    def add_errors(self, totals: CellTotals, a: int) -> None:
        """Test if the minority's error exceeds the majority's, of attribute ``a``."""
        sums, sizes = self._of_classes(totals, a, "true", 0)
        test = difference_test_of_totals(
            sums, sizes, float(sums.sum()), known=totals.clusters.known, proportion=True, greater=True
        )
        self._errors.append(({"attribute": self._attributes[a]}, test))

    def add_measures(self, totals: CellTotals, a: int, measures: Mapping[str, str]) -> None:
        """Test if measures differ between classes, of attribute ``a``; ``measures`` are columns by name."""
        for measure, column in measures.items():
            place = totals.names.index(column)
            for kind in ("true", "predicted"):
                sums, sizes = self._of_classes(totals, a, kind, place)
                squares = sum(
                    totals.squared(a, column, self._members(kind, part, a)) for part in ("minority", "majority")
                )
                test = difference_test_of_totals(
                    sums, sizes, squares, known=totals.clusters.known, proportion=is_proportion(column)
                )
                tests = self._measures.setdefault(measure, {}).setdefault(kind, [])
                tests.append(({"attribute": self._attributes[a]}, test))

    def _members(self, kind: str, part: str, a: int) -> NDArray[np.float32]:
        return members_of(f"{kind}:{part}", self._minority[a])

    def _of_classes(self, totals: CellTotals, a: int, kind: str, place: int) -> tuple[Floats, Floats]:
        both = [totals.of(a, self._members(kind, part, a)) for part in ("minority", "majority")]
        return np.stack([sums[:, place] for sums, _ in both], 1), np.stack([sizes[:, place] for _, sizes in both], 1)

    def families(self, measures: Sequence[str]) -> list[dict[str, Any]]:
        """Correct the tests within their families, in the order of the measures."""
        result = [family(ERRORS, self._errors)]
        for measure in measures:
            for kind, tests in self._measures.get(measure, {}).items():
                result.append(family(f"{measure} differs between {kind} classes", tests))
        return result


class Measured:
    """The first scan, or several where the sums of all measures would not fit into memory."""

    def __init__(
        self, records: Records, minority: Sequence[int], columns: Mapping[str, str], level: float, budget: int
    ) -> None:
        A = len(records.attributes)
        self.scores = Scores.empty(records.clusters, A)
        self.rates: list[dict[str, Estimate]] = [{} for _ in range(A)]
        self.measures: list[dict[str, Entry]] = [{} for _ in range(A)]
        self._overall: dict[str, Entry] = {"rates": {}, "measures": {}}
        self._tests = ClassTests(records.attributes, minority)
        self._minority, self._columns, self._level = minority, columns, level
        measures = records.audit.measures
        blocks = blocks_of(measures, records.clusters.count, A, budget, tuple(columns.values())) if A else []
        scales = dict(zip(measures, records.scales(measures), strict=True)) if A else {}
        for number, block in enumerate(blocks):
            self._scan(records, block, np.array([scales[name] for name in block]), first=not number)

    def _scan(self, records: Records, block: tuple[str, ...], scale: np.ndarray, *, first: bool) -> None:
        shape = records.clusters.count, len(records.attributes), 6, len(block)
        totals = CellTotals(
            records.clusters,
            self.scores.cells,
            block,
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int32),
            np.zeros((*shape[1:], 2), np.int64),
            scale,
        )
        for part in records.parts(block, what="summary: measures"):
            cells = part.cells
            if first:
                self.scores.add(part, cells)
            add_measures(part.codes, cells, part.values, scale, totals.sums, totals.counts, totals.squares)
        self._finish(totals, len(records.attributes), first=first)

    def _finish(self, totals: CellTotals, attributes: int, *, first: bool) -> None:
        level = self._level
        names = totals.names if first else totals.columns
        at = slice(0 if first else 1, None)
        limits = bounds(names)
        proportions = np.array([is_proportion(name) for name in names], bool)
        average = AttributeAverage(
            len(GROUPS), len(names), totals.clusters.count, proportions, limits, known=totals.clusters.known
        )
        of_block = {name: column for name, column in self._columns.items() if column in totals.columns}
        for a in range(attributes):
            sign = self._minority[a]
            means, cellwise = totals.means(a, level)
            order = [BASIC.index(basic_name(group, sign)) for group in GROUPS]
            average.add(means.select(order).columns(at), [[cellwise[n, BASIC[g]] for n in names] for g in order])
            for column in totals.columns:
                self.measures[a][column] = {g: cellwise[column, basic_name(g, sign)].to_json() for g in GROUPS}
            if first:
                both = [means.contributions[BASIC.index(f"true:{part}"), :, 0] for part in ("positive", "negative")]
                self.rates[a] = error_rates(cellwise, sign, correlation(*both))
                self._tests.add_errors(totals, a)
            self._tests.add_measures(totals, a, of_block)
        found = overall_of(average, names, level)
        self._overall["rates"] |= found["rates"]
        self._overall["measures"] |= found["measures"]

    def overall(self, measures: Sequence[str]) -> Entry:
        """Return the means over attributes, in the order of the measures."""
        if not self._overall["rates"]:
            return {}
        return {**self._overall, "measures": {name: self._overall["measures"][name] for name in measures}}

    def families(self, measures: Sequence[str]) -> list[Entry]:
        """Return the families of tests between classes."""
        return self._tests.families(measures)
