"""Paired differences between three predictions of the same images.

They are those of the first model, of the first model at its adjusted threshold, and of the second model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import bounds, is_proportion
from bincam.audit.summary.summarize import column_of
from bincam.compare.paired_audits import Pair
from bincam.compare.pairs.grouped import Grouped
from bincam.compare.pairs.paired import Decided
from bincam.references import REFERENCES
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import GroupMeans, group_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
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

Three = tuple[Estimate, Estimate, Estimate]
"""The figures of ``COLUMNS``."""

Measures = Mapping[str, Three]
"""The figures of a measure by group."""


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

    errors: Mapping[str, Three]
    error_differences: Mapping[str, tuple[Difference, Difference]]
    measures: Mapping[str, Measures]
    differences: Mapping[str, Mapping[str, Difference]]


def contrast_attributes(pair: Pair, level: float = LEVEL) -> Iterator[Contrasted]:
    """Compare attribute by attribute.

    Args:
        pair: The records.
        level: Confidence level.

    Yields:
        The comparison of each attribute, in order.
    """
    columns, clusters = pair.columns, pair.clusters
    low, high = bounds(columns)
    limits = (
        np.concatenate([[-1, -1, 0, 0, 0], low, low, low, low - high]),
        np.concatenate([[1, 1, 1, 1, 1], high, high, high, high - low]),
    )
    P, C = 5, len(columns)
    ledger = np.array([is_ledger(name) for name in columns], bool)
    for a in range(len(pair.attributes)):
        decided = pair.decided(a)
        grouped, wrong = Grouped.of(decided), decided.wrong
        first, second = pair.first.values[:, a], pair.second.values[:, a]
        moved = np.where(grouped.unchanged[:, None] & ~ledger, first, np.float32(np.nan))
        parts = np.stack([wrong[0] - wrong[2], wrong[1] - wrong[2], *wrong], -1)
        values = np.concatenate([parts, first, moved, second, first - second], -1)
        means = group_means(values, grouped.cell, grouped.membership, clusters, limits, level)
        classes = [grouped.names.index(group) for group in TRUE]
        between_classes = [correlation(*means.contributions[classes, :, 2 + m]) for m in range(3)]
        errors, error_differences = contrast_errors(decided, grouped, between_classes, clusters, level)
        measures: dict[str, Measures] = {}
        differences: dict[str, Mapping[str, Difference]] = {}
        for c, column in enumerate(columns):

            def mean_of(
                group: str, part: int, *, c: int = c, means: GroupMeans = means, grouped: Grouped = grouped
            ) -> Estimate:
                return means.estimate(grouped.names.index(group), P + part * C + c)

            four = tuple(values[:, P + part * C + c] for part in range(4))
            measures[column], differences[column] = contrast_measure(column, four, grouped, mean_of, clusters, level)
        yield Contrasted(errors, error_differences, measures, differences)


def contrast_errors(
    decided: Decided, grouped: Grouped, between_classes: Sequence[float], clusters: Clusters, level: float = LEVEL
) -> tuple[dict[str, Three], dict[str, tuple[Difference, Difference]]]:
    """Compare the errors of an attribute.

    Args:
        decided: Its labels and answers.
        grouped: Its groups.
        between_classes: Of the three answers, the correlation of the errors of both classes.
        clusters: Clusters of the images.
        level: Confidence level.

    Returns:
        ``errors`` and ``error_differences`` of ``Contrasted``.
    """
    wrong, member = decided.wrong, {rate: grouped.member(group) for rate, group in ERRORS.items()}
    errors = {
        rate: _three(_share(wrong[m], inside, clusters, level) for m in range(3)) for rate, inside in member.items()
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
            _error_difference(wrong[0], wrong[2], inside, clusters, level),
            _error_difference(wrong[1], wrong[2], inside, clusters, level),
        )
        for rate, inside in member.items()
    }
    return errors, error_differences


def contrast_measure(
    column: str,
    values: Sequence[NDArray[np.floating]],
    grouped: Grouped,
    mean_of: Callable[[str, int], Estimate],
    clusters: Clusters,
    level: float = LEVEL,
) -> tuple[Measures, dict[str, Difference]]:
    """Compare a measure of an attribute.

    Args:
        column: Its name.
        values: ``(N,)`` each: of the first model, of the first where the adjusted threshold changes nothing, of the
            second, and the first's less the second's.
        grouped: The groups of the images.
        mean_of: Estimates the mean of a group, of one of ``values``.
        clusters: Clusters of the images.
        level: Confidence level.

    Returns:
        Its entries of ``measures`` and ``differences`` of ``Contrasted``.
    """
    measures: dict[str, Three] = {}
    differences: dict[str, Difference] = {}
    proportion = is_proportion(column)
    for group in (*TRUE, *PREDICTED):
        names = [group if group in TRUE else f"{model} {group}" for model in ("first", "moved", "second")]
        measures[group] = _three(
            _share(values[m], grouped.member(name), clusters, level) if proportion else mean_of(name, m)
            for m, name in enumerate(names)
        )
    for group in PAIRED:
        inside = grouped.member(group)
        d = np.where(inside, values[3], np.nan)
        both = np.isfinite(d)
        first, second = (float(of_model[both].mean()) if both.any() else np.nan for of_model in (values[0], values[2]))
        test = paired_test(d, clusters)
        if proportion:
            one, other = (np.where(inside, of_model, np.nan) for of_model in (values[0], values[2]))
            difference = paired_shares(one, other, clusters, level)
        else:
            difference = mean_of(group, 3)
        differences[group] = Difference(first, second, difference, test)
    return measures, differences


def is_ledger(column: str) -> bool:
    """Tell whether a column is of the ledger, whose constant depends on the threshold.

    >>> is_ledger("midpoint.bias_share"), is_ledger("grad_cam.gain")
    (True, False)
    """
    return column.partition(".")[0] in REFERENCES


def _three(estimates: Iterable[Estimate]) -> Three:
    first, moved, second = estimates
    return first, moved, second


def _share(values: NDArray[np.floating], member: NDArray[np.bool_], clusters: Clusters, level: float) -> Estimate:
    return shares(values, member, clusters, level).estimate()


def _error_difference(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    member: NDArray[np.bool_],
    clusters: Clusters,
    level: float,
) -> Difference:
    first, second = (np.where(member, wrong, np.nan) for wrong in (first, second))
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        no_test = Test(np.nan, np.nan, np.nan, 0, 0 if clusters.known else None, "McNemar")
        return Difference(np.nan, np.nan, undefined(MOVER), no_test)
    difference = paired_shares(first, second, clusters, level)
    means = float(first[both].mean()), float(second[both].mean())
    return Difference(*means, difference, mcnemar(first, second, clusters))


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
