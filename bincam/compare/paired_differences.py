"""Three answers to the same images: the first model's, the same with its threshold moved, the second model's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.summarize import BINARY, column_of
from bincam.compare.paired_audits import Pair
from bincam.references import REFERENCES
from bincam.stats.bootstrap import resampled_means, shares
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.hypothesis_tests import Test, family, mcnemar, paired_test
from bincam.stats.intervals import mean_of_two, quantiles

COLUMNS = ("unbalanced", "unbalanced, threshold moved", "balanced")
"""Of the tables: the first model, the first with its threshold moved, the second."""

TRUE = ("true:minority", "true:majority")
PREDICTED = ("predicted:minority", "predicted:majority")
ALIKE = ("alike:minority", "alike:majority")
"""Images that both models answer with this class."""
ALIKE_MOVED = ("alike, moved too:minority", "alike, moved too:majority")
"""Images that both models, and the first with its threshold moved, answer with this class."""

PAIRED = (*TRUE, *ALIKE, *ALIKE_MOVED)
ERRORS = {"error": "all", "minority_error": TRUE[0], "majority_error": TRUE[1]}
TESTED = ("gain", "empty", "bias_share")


@dataclass(frozen=True)
class Difference:
    """First minus second, on images where both are defined.

    Attributes:
        first: The first's mean on these images.
        second: The second's.
        difference: Its interval is that of the paired bootstrap.
        test: Of no difference.
    """

    first: float
    second: float
    difference: Estimate
    test: Test

    def to_json(self) -> dict[str, Any]:
        """As ``contrast.json`` holds it."""
        values = {"first": self.first, "second": self.second, "p": self.test.p}
        return {
            **{name: float(value) if np.isfinite(value) else None for name, value in values.items()},
            "difference": self.difference.to_json(),
            "test": self.test.method,
        }


@dataclass(frozen=True)
class Contrasted:
    """One attribute.

    Attributes:
        errors: Rate to the figures of ``COLUMNS``.
        error_differences: Rate to first minus second, and to moved minus second.
        measures: Record column to group (``TRUE`` and ``PREDICTED``) to the figures of ``COLUMNS``. Those of a moved
            threshold rest on images whose answer it does not change, and are undefined for the ledger, whose constant
            moves with the threshold.
        differences: Record column to group (of ``PAIRED``) to first minus second.
    """

    errors: Mapping[str, tuple[Estimate, Estimate, Estimate]]
    error_differences: Mapping[str, tuple[Difference, Difference]]
    measures: Mapping[str, Mapping[str, tuple[Estimate, Estimate, Estimate]]]
    differences: Mapping[str, Mapping[str, Difference]]


def contrast_attributes(pair: Pair, weights: NDArray[np.float32], level: float = LEVEL) -> Iterator[Contrasted]:
    """Compare attribute by attribute.

    Args:
        pair: The records.
        weights: ``(K, R)``, of ``Clusters.weights``: both models are resampled alike, so differences are paired.
        level: Of confidence.

    Yields:
        One per attribute, in order.
    """
    wrong, answers = pair.wrong, pair.answers
    one, other = pair.first.values, pair.second.values
    ledger = np.array([_is_ledger(name) for name in pair.first.columns], bool)
    unchanged = (answers[1] != 0) & (answers[1] == answers[0])
    moved = np.where(unchanged[..., None] & ~ledger, one, np.float32(np.nan))
    parts = [wrong[0] - wrong[2], wrong[1] - wrong[2], *wrong]
    P = len(parts)
    C = one.shape[-1]
    values = np.concatenate([np.stack(parts, -1), one, moved, other, one - other], -1)
    for a in range(len(pair.attributes)):
        cell, membership, names = _cells(pair, a)
        here = resampled_means(values[:, a : a + 1], cell[:, None], membership, pair.clusters, weights)
        found = next(here)
        classes = [names.index(group) for group in TRUE]
        drawn = found.samples[classes, 2:P]  # (2, 3, R), copied before the quantiles sort them
        low, high = quantiles(found.samples, level)
        member = (membership > 0)[:, np.maximum(cell, 0)] & (cell >= 0)  # (G, N)

        def told(
            group: str,
            c: int,
            *,
            found: Any = found,
            low: Any = low,
            high: Any = high,
            names: list[str] = names,
        ) -> Estimate:
            g = names.index(group)
            people = None if found.identities is None else int(found.identities[g, c])
            method = pair.clusters.bootstrap
            return estimate(found.value[g, c], low[g, c], high[g, c], int(found.images[g, c]), people, method)

        errors = {
            rate: _three(_share(wrong[m, :, a], member[names.index(group)], pair, level) for m in range(3))
            for rate, group in ERRORS.items()
        }
        errors["balanced_error"] = _three(
            mean_of_two(
                errors["minority_error"][m],
                errors["majority_error"][m],
                drawn[:, m],
                identities=errors["error"][m].identities,
                method=pair.clusters.bootstrap,
                level=level,
            )
            for m in range(3)
        )
        error_differences = {
            rate: (
                _error_difference(wrong[0, :, a], wrong[2, :, a], member[names.index(group)], told(group, 0), pair),
                _error_difference(wrong[1, :, a], wrong[2, :, a], member[names.index(group)], told(group, 1), pair),
            )
            for rate, group in ERRORS.items()
        }
        measures: dict[str, dict[str, tuple[Estimate, Estimate, Estimate]]] = {}
        differences: dict[str, dict[str, Difference]] = {}
        for c, column in enumerate(pair.first.columns):
            measures[column] = {}
            for group in (*TRUE, *PREDICTED):
                three = []
                for m, model in enumerate(("first", "moved", "second")):
                    name = group if group in TRUE else f"{model} {group}"
                    position = P + m * C + c
                    if column.rpartition(".")[2] in BINARY:
                        three.append(_share(values[:, a, position], member[names.index(name)], pair, level))
                    else:
                        three.append(told(name, position))
                measures[column][group] = (three[0], three[1], three[2])
            differences[column] = {}
            for group in PAIRED:
                inside = member[names.index(group)]
                d = np.where(inside, values[:, a, P + 3 * C + c], np.nan)
                both = np.isfinite(d)
                means = [float(v[both, a, c].mean()) if both.any() else np.nan for v in (one, other)]
                test = paired_test(d, pair.clusters)
                differences[column][group] = Difference(means[0], means[1], told(group, P + 3 * C + c), test)
        yield Contrasted(errors, error_differences, measures, differences)


def _is_ledger(column: str) -> bool:
    return column.partition(".")[0] in REFERENCES


def _three(estimates: Iterator[Estimate]) -> tuple[Estimate, Estimate, Estimate]:
    first, moved, second = estimates
    return first, moved, second


def _cells(pair: Pair, a: int) -> tuple[NDArray[np.int64], NDArray[np.float32], list[str]]:
    """Cells ``(N,)`` of one attribute by label and by the three answers, and the groups made of them ``(G, 36)``."""
    label = pair.first.label[:, a]
    truth = np.where(np.isnan(label), 0, np.where(label > 0, 1, -1))
    first, moved, second = pair.answers[:, :, a].astype(int)
    cell = ((truth + 1) * 2 + (first > 0)) * 6 + (moved + 1) * 2 + (second > 0)
    cell = np.where((first != 0) & (second != 0), cell, -1)
    sides = np.array(
        [(t, f, m, s) for t in (-1, 0, 1) for f in (-1, 1) for m in (-1, 0, 1) for s in (-1, 1)]
    )  # (36, 4), in the order of the cells' numbers
    minority = int(pair.first.minority[a])
    groups: dict[str, NDArray[np.bool_]] = {"all": np.ones(len(sides), bool)}
    for sign, part in ((minority, "minority"), (-minority, "majority")):
        t, f, m, s = (sides == sign).T
        groups |= {
            f"true:{part}": t,
            f"first predicted:{part}": f,
            f"moved predicted:{part}": m,
            f"second predicted:{part}": s,
            f"alike:{part}": f & s,
            f"alike, moved too:{part}": f & m & s,
        }
    return cell, np.stack(list(groups.values())).astype(np.float32), list(groups)


def _share(values: NDArray[np.floating], member: NDArray[np.bool_], pair: Pair, level: float) -> Estimate:
    got = shares(values, member, pair.clusters, level)
    people = None if got.identities is None else int(got.identities)
    return estimate(float(got.value), float(got.low), float(got.high), int(got.images), people, got.method)


def _error_difference(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    member: NDArray[np.bool_],
    difference: Estimate,
    pair: Pair,
) -> Difference:
    one, other = (np.where(member, x, np.nan) for x in (first, second))
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        nothing = Test(np.nan, np.nan, np.nan, 0, 0 if pair.clusters.known else None, "McNemar")
        return Difference(np.nan, np.nan, undefined(difference.method), nothing)
    means = float(one[both].mean()), float(other[both].mean())
    return Difference(*means, difference, mcnemar(one, other, pair.clusters))


def contrast_families(attributes: Mapping[str, Contrasted], methods: tuple[str, ...]) -> list[dict[str, Any]]:
    """All tests of a contrast in two families: of errors, and of where the models look.

    Both within the true class; attention also within images that both models answer alike. Differences between
    predicted classes are of other images for each model, and are not tested.
    """
    errors = [
        ({"attribute": name, "measure": rate}, one.error_differences[rate][0].test)
        for name, one in attributes.items()
        for rate in ("minority_error", "majority_error")
    ]
    columns = {name: column_of(name, methods) for name in TESTED}
    attention = [
        ({"attribute": name, "measure": measure, "group": group}, one.differences[column][group].test)
        for name, one in attributes.items()
        for measure, column in columns.items()
        if column in one.differences
        for group in (*TRUE, *ALIKE)
    ]
    return [
        family("errors differ between the models", errors),
        family("attention differs between the models", attention),
    ]
