"""Figures of a long audit within the values of a division of its images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import bounds, is_proportion
from bincam.audit.summary.calibration import DEBIASED, Debiased, calibration_slices, debiased_error
from bincam.audit.summary.groups.gaps import TESTED, level_of_pairs
from bincam.audit.summary.groups.slices import Sliced, slice_entries
from bincam.audit.summary.streamed import kernels
from bincam.audit.summary.streamed.calibration import BYTES, Binned, Probabilities
from bincam.audit.summary.streamed.clusters import StreamedClusters
from bincam.audit.summary.streamed.divisions import Division
from bincam.audit.summary.streamed.records import Part
from bincam.audit.summary.streamed.totals import WRONG_CELLS
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import UNBOUNDED, mean_estimate, means_of_totals
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES, Estimate, Floats, undefined
from bincam.stats.hypotheses.hypothesis_tests import Test, difference_test_of_totals
from bincam.stats.outcomes import BASIC, CELLS, ERROR_RATES, MEMBERSHIP, basic_name
from bincam.stats.proportions import Shares, shares_of_totals
from bincam.stats.rates.equalised_odds import GroupDifference, difference_of_cells, gaps_without_difference

RATES_OF: Mapping[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "equalised_odds_difference": (("tpr", ("TP",), ("TP", "FN")), ("fpr", ("FP",), ("FP", "TN"))),
    "demographic_parity_difference": (("positive", ("TP", "FP", "P?"), CELLS),),
}
"""Measures of differences between groups: their rates, with the cells of positive predictions and of all images."""


@dataclass
class SliceTotals:
    """What clusters have of images, errors, measures and probabilities in each value of a division.

    Attributes:
        division: The division.
        attributes: Positions of the attributes, of consecutive ones.
        names: Names of all attributes.
        measures: Measure to column.
        cells: ``(K, A, V, 6)``: number of images.
        sums: ``(K, A, V, C)``: in units.
        counts: ``(K, A, V, C)``: number of images with a value.
        scale: ``(C,)``: units per 1.
        probabilities: Of the attributes, by value.
    """

    division: Division
    clusters: StreamedClusters
    attributes: range
    names: Sequence[str]
    measures: Mapping[str, str]
    scale: Floats
    cells: NDArray[np.int32] = field(init=False)
    sums: NDArray[np.int64] = field(init=False)
    counts: NDArray[np.int32] = field(init=False)
    probabilities: Probabilities = field(init=False)

    def __post_init__(self) -> None:
        V = len(self.division.slicing.values)
        shape = self.clusters.count, len(self.attributes), V
        self.cells = np.zeros((*shape, len(CELLS)), np.int32)
        self.sums = np.zeros((*shape, len(self.measures)), np.int64)
        self.counts = np.zeros((*shape, len(self.measures)), np.int32)
        self.probabilities = Probabilities.empty(self.clusters, len(self.attributes), V)

    @property
    def used(self) -> Iterator[tuple[int, str]]:
        """Positions here and names of the attributes that the division divides."""
        for at, a in enumerate(self.attributes):
            if self.names[a] not in self.division.slicing.columns:
                yield at, self.names[a]

    def add(self, part: Part, binned: Binned) -> None:
        """Add the images of a shard, whose values are those of the measures, with their probabilities."""
        own = slice(self.attributes.start, self.attributes.stop)
        place, here = self.division.place(part), binned.some(own)
        values = np.ascontiguousarray(part.values[:, :, own])
        kernels.add_divided(part.codes, place, here.cells, values, self.scale, self.cells, self.sums, self.counts)
        self.probabilities.add(part.codes, place, here)

    def images(self) -> NDArray[np.int64]:
        """``(V,)``: number of decided images, of the attribute with most."""
        return np.asarray(self.cells.sum((0, 3), dtype=np.int64).max(0))

    def of_cells(self, at: int, members: Sequence[str]) -> Floats:
        """``(K, V)``: number of images in some cells."""
        inside = [CELLS.index(name) for name in members]
        return np.asarray(self.cells[:, at][..., inside].sum(-1), float)

    def errors(self, at: int, group: str) -> tuple[Floats, Floats]:
        """``(K, V)`` each: errors and labelled images of a group of ``BASIC``."""
        inside = [name for name, one in zip(CELLS, MEMBERSHIP[BASIC.index(group)], strict=True) if one]
        wrong = [name for name in inside if WRONG_CELLS[CELLS.index(name)]]
        return self.of_cells(at, wrong), self.of_cells(at, [name for name in inside if not name.endswith("?")])

    def entries(self, minority: Sequence[int], level: float) -> list[dict[str, Any]]:
        """Make the entries of slices; ``minority`` are the classes of all attributes, +1 or -1."""
        result = []
        for at, name in self.used:
            result += slice_entries(name, self.division.slicing, self._sliced(at, minority[self.attributes[at]], level))
        return result

    def _sliced(self, at: int, minority: int, level: float) -> dict[str, Sliced]:
        V, known = len(self.division.slicing.values), self.clusters.known
        found: dict[str, Sliced] = {}
        for group in dict.fromkeys(basic_name(group, minority) for group in ERROR_RATES.values()):
            hits, size = self.errors(at, group)
            share = shares_of_totals(hits, size, known=known, level=level)
            of_pairs = share
            if V > 2:
                of_pairs = shares_of_totals(hits, size, known=known, level=level_of_pairs(V, level))
            contributions = means_of_totals(hits, size, UNBOUNDED, level, independent=not known)[-1]
            estimates, pairs = ([one.estimate(v) for v in range(V)] for one in (share, of_pairs))
            found[group] = Sliced(estimates, contributions.T, self._people(size), pairs)
        result = {name: found[basic_name(group, minority)] for name, group in ERROR_RATES.items()}
        for c, (name, column) in enumerate(self.measures.items()):
            total, size = self.sums[:, at, :, c] / self.scale[c], self.counts[:, at, :, c].astype(float)
            result[name] = self._measure(column, total, size, level)
        return result

    def _measure(self, column: str, total: Floats, size: Floats, level: float) -> Sliced:
        V, known = total.shape[1], self.clusters.known
        low, high = bounds([column])
        limits = float(low[0]), float(high[0])
        value, lower, upper, images, people, _, u = means_of_totals(total, size, limits, level, independent=not known)
        if is_proportion(column):
            share = shares_of_totals(total, size, known=known, level=level)
            estimates = [share.estimate(v) for v in range(V)]
        else:
            estimates = [
                mean_estimate(value[v], lower[v], upper[v], int(images[v]), int(people[v]) if known else None, known)
                for v in range(V)
            ]
        return Sliced(estimates, u.T, self._people(size))

    def _people(self, size: Floats) -> Any:
        """Function that counts the people of some values, by position."""

        def count(values: Sequence[int]) -> int | None:
            return int((size[:, list(values)].sum(1) > 0).sum()) if self.clusters.known else None

        return count

    def calibration(self, level: float) -> list[dict[str, Any]]:
        """Make the entries of calibration within values."""
        entries = []
        for at, name in self.used:
            signed: dict[str, Estimate] = {}
            debiased: dict[str, Debiased] = {}
            for v, value in enumerate(self.division.slicing.values):
                totals = self.probabilities.of(at, v)
                images, people = int(totals.images.sum()), totals.people
                signed[value] = totals.signed(level)
                nothing = undefined(DEBIASED, 0, people), None
                debiased[value] = debiased_error(totals.bins, images, people, level) if images else nothing
            excess, size, _ = self._excess(at)
            u = means_of_totals(excess, size, UNBOUNDED, level, independent=not self.clusters.known)[-1]
            people_of = self._people(size)

            def shared(both: Sequence[int], u: Floats = u, people_of: Any = people_of) -> tuple[float, int | None]:
                return correlation(*u.T[list(both)]), people_of(both)

            entries += calibration_slices(name, self.division.slicing, signed, debiased, shared)
        return entries

    def _excess(self, at: int) -> tuple[Floats, Floats, Floats]:
        """Sums of p - y and numbers of images, ``(K, V)`` each, and sums of (p - y)², ``(V,)``."""
        values = [self.probabilities.of(at, v) for v in range(len(self.division.slicing.values))]
        excess = np.stack([(one.sums - one.positives).sum(1) for one in values], 1)
        return (
            excess,
            np.stack([one.images.sum(1) for one in values], 1),
            np.array([one.squares.sum() for one in values]),
        )

    def tested(self, sums: Floats, sizes: Floats, squares: Floats, *, proportion: bool) -> Test:
        """Test if values differ, of those with enough images and people; arguments ``(K, V)``, ``(K, V)``, ``(V,)``."""
        known = self.clusters.known
        enough = sizes.sum(0) >= MIN_IMAGES
        if known:
            enough &= (sizes > 0).sum(0) >= MIN_IDENTITIES
        at = np.flatnonzero(enough)
        return difference_test_of_totals(
            sums[:, at], sizes[:, at], float(squares[at].sum()), known=known, proportion=proportion
        )

    def error_tests(self) -> dict[str, list[tuple[dict[str, Any], Test]]]:
        """Test the errors of ``TESTED`` of every attribute."""
        result: dict[str, list[tuple[dict[str, Any], Test]]] = {measure: [] for measure in TESTED}
        for measure in TESTED:
            for at, name in self.used:
                hits, size = self.errors(at, ERROR_RATES[measure])
                result[measure].append(({"attribute": name}, self.tested(hits, size, hits.sum(0), proportion=True)))
        return result

    def calibration_tests(self) -> list[tuple[dict[str, Any], Test]]:
        """Test the signed calibration error of every attribute."""
        return [({"attribute": name}, self.tested(*self._excess(at), proportion=False)) for at, name in self.used]

    def differences(
        self, level: float, permutations: int, seed: int
    ) -> tuple[list[dict[str, Any]], list[tuple[dict[str, Any], Test]]]:
        """Estimate the differences between groups of every attribute, and test equalised odds."""
        entries, tests = [], []
        for at, name in self.used:
            for measure, rates in RATES_OF.items():
                found = self._difference(at, measure, rates, level, permutations, seed)
                entries.append({"attribute": name, **self.division.slicing.to_json(), **found.to_json()})
                if measure == "equalised_odds_difference":
                    tests.append(({"attribute": name}, found.test()))
        return entries, tests

    def _difference(
        self,
        at: int,
        measure: str,
        rates: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]],
        level: float,
        permutations: int,
        seed: int,
    ) -> GroupDifference:
        known = self.clusters.known
        of_rates = {rate: (self.of_cells(at, hit), self.of_cells(at, every)) for rate, hit, every in rates}

        def cells(chosen: Sequence[int], level: float) -> dict[str, Shares]:
            v = list(chosen)
            return {
                rate: shares_of_totals(hits[:, v], size[:, v], known=known, level=level)
                for rate, (hits, size) in of_rates.items()
            }

        def total(chosen: Sequence[int]) -> tuple[int, int | None]:
            images = sum(size[:, list(chosen)].sum(1) for _, size in of_rates.values())
            counted = np.asarray(images)
            return int(counted.sum()), int((counted > 0).sum()) if known else None

        def null(chosen: Sequence[int]) -> Floats:
            rng, v = np.random.default_rng(seed), list(chosen)
            drawn = [
                gaps_without_difference(hits[:, v], size[:, v], permutations, rng, independent=not known)
                for hits, size in of_rates.values()
            ]
            return np.asarray(np.max(drawn, 0))

        return difference_of_cells(measure, self.division.slicing.values, cells, total, null, level)


def bytes_of(clusters: int, attributes: int, values: int, measures: int) -> int:
    """Return the memory of the sums of a division.

    >>> bytes_of(1000, 10, 2, 3) // 10**6
    6
    """
    return clusters * attributes * values * (len(CELLS) * 4 + measures * 12 + BYTES)
