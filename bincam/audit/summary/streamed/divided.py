"""Figures of a long audit within groups of images, in as many scans as the memory for their sums allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bincam.audit.summary.groups.gaps import FAMILY, TESTED
from bincam.audit.summary.streamed.divisions import Division
from bincam.audit.summary.streamed.records import Records
from bincam.audit.summary.streamed.slices import SliceTotals, bytes_of
from bincam.stats.hypotheses.hypothesis_tests import Test, family

Entry = dict[str, Any]


class Divided:
    """Figures within groups of images, in as many scans as their sums need."""

    def __init__(
        self, records: Records, divisions: Sequence[Division], measures: Mapping[str, str], budget: int
    ) -> None:
        self.slices: list[Entry] = []
        self.differences: list[Entry] = []
        self._tests: list[tuple[Division, dict[str, list[tuple[Entry, Test]]]]] = []
        self.left_out: dict[str, str] = {}
        scale = records.scales(list(measures.values())) if measures and divisions else np.zeros(0)
        A, K = len(records.attributes), records.clusters.count
        self._records, self._measures, self._scale = records, measures, scale
        self._scans: list[list[tuple[Division, range]]] = [[]]
        taken = 0
        for division in divisions:
            values = len(division.slicing.values)
            width = max(1, min(A, budget // max(bytes_of(K, 1, values, len(measures)), 1)))
            for start in range(0, A, width):
                here = range(start, min(start + width, A))
                need = bytes_of(K, len(here), values, len(measures))
                if self._scans[-1] and taken + need > budget:
                    self._scans.append([])
                    taken = 0
                taken += need
                self._scans[-1].append((division, here))

    def scans(self) -> Iterator[list[SliceTotals]]:
        """Yield the sums of each scan, to add to; there is one scan at least, perhaps of no division."""
        names, clusters = self._records.attributes, self._records.clusters
        for scan in self._scans:
            yield [SliceTotals(by, clusters, here, names, self._measures, self._scale) for by, here in scan]

    def finish(
        self, totals: Sequence[SliceTotals], minority: Sequence[int], level: float, resamples: int, seed: int
    ) -> None:
        """Make the entries of a scan; a division of which fewer than two values have images is left out."""
        for one in totals:
            column = one.division.slicing.column
            if (one.images() > 0).sum() < 2:
                self.left_out[column] = f"fewer than two combinations of {column} have images"
                continue
            self.slices += [*one.entries(minority, level), *one.calibration(level)]
            entries, tests = one.differences(level, resamples, seed)
            self.differences += entries
            found = {**one.error_tests(), "calibration": one.calibration_tests(), "odds": tests}
            self._tests.append((one.division, found))

    def families(self) -> list[Entry]:
        """Return the families of tests between groups."""
        names = {
            "error": "error differs by",
            "calibration": "signed calibration error differs by",
            "odds": "equalised odds differ by",
        }
        joined: dict[str, dict[str, list[Any]]] = {}
        about: dict[str, Entry] = {}
        for division, tests in self._tests:
            column = division.slicing.column
            about[column] = division.slicing.to_json()
            for kind, some in tests.items():
                joined.setdefault(column, {}).setdefault(kind, []).extend(some)
        result = [
            family(f"{start} {column}", tests[kind])
            for kind, start in names.items()
            for column, tests in joined.items()
        ]
        gaps = [
            ({**of, **about[column], "measure": measure}, test)
            for column, tests in joined.items()
            for measure in TESTED
            for of, test in tests[measure]
        ]
        return [*result, family(FAMILY, gaps)] if gaps else result
