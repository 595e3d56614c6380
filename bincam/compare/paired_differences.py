"""Paired differences between three predictions of the same images.

They are those of the first model, of the first model at its adjusted threshold, and of the second model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import bounds, is_proportion
from bincam.audit.summary.summarize import column_of
from bincam.compare.paired_audits import Pair
from bincam.references import REFERENCES
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import GroupMeans, group_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.hypotheses.hypothesis_tests import Test, family, mcnemar, paired_test
from bincam.stats.intervals import MOVER, mean_of_two
from bincam.stats.proportions import shares

COLUMNS = ("unbalanced", "unbalanced, threshold moved", "balanced")
"""Columns of the tables: the first model, the first at its adjusted threshold, the second."""

TRUE = ("true:minority", "true:majority")
PREDICTED = ("predicted:minority", "predicted:majority")
ALIKE = ("alike:minority", "alike:majority")
"""Images with concordant answers: both models predict this class."""
ALIKE_MOVED = ("alike, moved too:minority", "alike, moved too:majority")
"""Images for which also the first model at its adjusted threshold predicts this class."""

PAIRED = (*TRUE, *ALIKE, *ALIKE_MOVED)
ERRORS = {"error": "all", "minority_error": TRUE[0], "majority_error": TRUE[1]}
TESTED = ("gain", "empty", "bias_share")


@dataclass(frozen=True)
class Difference:
    """A difference, first minus second, on the images where both are defined.

    Attributes:
        first: Mean of the first on these images.
        second: Mean of the second.
        difference: Their difference, with the interval of paired images.
        test: The test of no difference.
    """

    first: float
    second: float
    difference: Estimate
    test: Test

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``contrast.json``."""
        values = {"first": self.first, "second": self.second, "p": self.test.p}
        return {
            **{name: float(value) if np.isfinite(value) else None for name, value in values.items()},
            "difference": self.difference.to_json(),
            "test": self.test.method,
        }


@dataclass(frozen=True)
class Contrasted:
    """The comparison of one attribute.

    Attributes:
        errors: Rate to the figures of ``COLUMNS``.
        error_differences: Rate to first minus second, and to first at its adjusted threshold minus second.
        measures: Record column to group (``TRUE`` and ``PREDICTED``) to the figures of ``COLUMNS``. Those of an
            adjusted threshold rest on images whose answer it does not change, and are undefined for the ledger, whose
            constant depends on the threshold.
        differences: Record column to group (of ``PAIRED``) to first minus second.
    """

    errors: Mapping[str, tuple[Estimate, Estimate, Estimate]]
    error_differences: Mapping[str, tuple[Difference, Difference]]
    measures: Mapping[str, Mapping[str, tuple[Estimate, Estimate, Estimate]]]
    differences: Mapping[str, Mapping[str, Difference]]


def contrast_attributes(pair: Pair, level: float = LEVEL) -> Iterator[Contrasted]:
    """Compare attribute by attribute.

    Args:
        pair: The records.
        level: Confidence level.

    Yields:
        The comparison of each attribute, in order.
    """
    wrong, answers = pair.wrong, pair.answers
    first_values, second_values = pair.first.values, pair.second.values
    ledger = np.array([_is_ledger(name) for name in pair.first.columns], bool)
    unchanged = (answers[1] != 0) & (answers[1] == answers[0])
    moved = np.where(unchanged[..., None] & ~ledger, first_values, np.float32(np.nan))
    parts = [wrong[0] - wrong[2], wrong[1] - wrong[2], *wrong]
    P = len(parts)
    C = first_values.shape[-1]
    values = np.concatenate([np.stack(parts, -1), first_values, moved, second_values, first_values - second_values], -1)
    low, high = bounds(pair.first.columns)
    limits = (
        np.concatenate([[-1, -1, 0, 0, 0], low, low, low, low - high]),
        np.concatenate([[1, 1, 1, 1, 1], high, high, high, high - low]),
    )
    for a in range(len(pair.attributes)):
        cell, membership, names = _cells(pair, a)
        means = group_means(values[:, a], cell, membership, pair.clusters, limits, level)
        classes = [names.index(group) for group in TRUE]
        between_classes = [correlation(*means.contributions[classes, :, 2 + m]) for m in range(3)]
        member = (membership > 0)[:, np.maximum(cell, 0)] & (cell >= 0)  # (G, N)

        def mean_of(group: str, c: int, *, means: GroupMeans = means, names: list[str] = names) -> Estimate:
            return means.estimate(names.index(group), c)

        errors = {
            rate: _three(_share(wrong[m, :, a], member[names.index(group)], pair, level) for m in range(3))
            for rate, group in ERRORS.items()
        }
        errors["balanced_error"] = _three(
            mean_of_two(
                errors["minority_error"][m],
                errors["majority_error"][m],
                correlation=between_classes[m],
                identities=errors["error"][m].identities,
            )
            for m in range(3)
        )
        error_differences = {
            rate: (
                _error_difference(wrong[0, :, a], wrong[2, :, a], member[names.index(group)], pair, level),
                _error_difference(wrong[1, :, a], wrong[2, :, a], member[names.index(group)], pair, level),
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
                    if is_proportion(column):
                        three.append(_share(values[:, a, position], member[names.index(name)], pair, level))
                    else:
                        three.append(mean_of(name, position))
                measures[column][group] = (three[0], three[1], three[2])
            differences[column] = {}
            for group in PAIRED:
                inside = member[names.index(group)]
                d = np.where(inside, values[:, a, P + 3 * C + c], np.nan)
                both = np.isfinite(d)
                first, second = (
                    float(values_of[both, a, c].mean()) if both.any() else np.nan
                    for values_of in (first_values, second_values)
                )
                test = paired_test(d, pair.clusters)
                if is_proportion(column):
                    one, other = (np.where(inside, of[:, a, c], np.nan) for of in (first_values, second_values))
                    difference = paired_shares(one, other, pair.clusters, level)
                else:
                    difference = mean_of(group, P + 3 * C + c)
                differences[column][group] = Difference(first, second, difference, test)
        yield Contrasted(errors, error_differences, measures, differences)


def _is_ledger(column: str) -> bool:
    return column.partition(".")[0] in REFERENCES


def _three(estimates: Iterator[Estimate]) -> tuple[Estimate, Estimate, Estimate]:
    first, moved, second = estimates
    return first, moved, second


def _cells(pair: Pair, a: int) -> tuple[NDArray[np.int64], NDArray[np.float32], list[str]]:
    """Sort the images ``(N,)`` into 36 cells by label and the three answers; the groups made of these ``(G, 36)``."""
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
    share = shares(values, member, pair.clusters, level)
    return share.estimate()


def _error_difference(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    member: NDArray[np.bool_],
    pair: Pair,
    level: float,
) -> Difference:
    first, second = (np.where(member, wrong, np.nan) for wrong in (first, second))
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        no_test = Test(np.nan, np.nan, np.nan, 0, 0 if pair.clusters.known else None, "McNemar")
        return Difference(np.nan, np.nan, undefined(MOVER), no_test)
    difference = paired_shares(first, second, pair.clusters, level)
    means = float(first[both].mean()), float(second[both].mean())
    return Difference(*means, difference, mcnemar(first, second, pair.clusters))


def contrast_families(attributes: Mapping[str, Contrasted], methods: tuple[str, ...]) -> list[dict[str, Any]]:
    """Make two families of all tests of a contrast: of errors, and of the evidence in the maps.

    Both are tested within the true class, evidence also within images with concordant answers. Predicted classes
    consist of different images for each model, so differences between them are not tested.
    """
    errors = [
        ({"attribute": name, "measure": rate}, contrasted.error_differences[rate][0].test)
        for name, contrasted in attributes.items()
        for rate in ("minority_error", "majority_error")
    ]
    columns = {name: column_of(name, methods) for name in TESTED}
    attention = [
        ({"attribute": name, "measure": measure, "group": group}, contrasted.differences[column][group].test)
        for name, contrasted in attributes.items()
        for measure, column in columns.items()
        if column in contrasted.differences
        for group in (*TRUE, *ALIKE)
    ]
    return [
        family("errors differ between the models", errors),
        family("attention differs between the models", attention),
    ]
