"""Entries of attributes in a summary: counts, rates and measures by group of images, and the means over attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.audit.summary.bounds import WRONG, bounds, is_proportion
from bincam.audit.summary.calibration import attribute_calibration
from bincam.audit.summary.panel import Panel
from bincam.stats.clustered.attribute_average import AttributeAverage
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import GroupMeans, group_means
from bincam.stats.estimate import Estimate
from bincam.stats.intervals import mean_of_two
from bincam.stats.outcomes import BASIC, CELLS, ERROR_RATES, GROUPS, MEMBERSHIP, basic_name, class_name
from bincam.stats.proportions import Shares, shares
from bincam.stats.roc import ranking

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest


def attribute_entries(manifest: Manifest, panel: Panel, level: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the entries of all attributes, and the means over them.

    Args:
        manifest: The audit's manifest.
        panel: The records.
        level: Confidence level.

    Returns:
        ``{attribute: entry}``, and the entry ``overall``.
    """
    names = (WRONG, *panel.columns)
    limits = bounds(names)
    proportions = {
        name: {
            group: shares(
                panel.wrong if name == WRONG else panel.column(name), panel.member(group), panel.clusters, level
            )
            for group in BASIC
        }
        for name in names
        if is_proportion(name)
    }
    average = AttributeAverage(
        len(GROUPS),
        len(names),
        panel.clusters.count,
        np.array([is_proportion(name) for name in names]),
        limits,
        known=panel.clusters.known,
    )
    entries: dict[str, Any] = {}
    for a, attribute in enumerate(panel.attributes):
        # An attribute at a time, so that the records of all are never copied at once.
        values = np.concatenate([panel.wrong[:, a, None], panel.values[:, a]], -1)  # (N, 1 + C)
        means = group_means(values, panel.cell[:, a], MEMBERSHIP, panel.clusters, limits, level)
        minority = int(panel.minority[a])
        order = [BASIC.index(basic_name(group, minority)) for group in GROUPS]
        cellwise = _cellwise(names, a, means, proportions)
        average.add(means.select(order), [[cellwise[name, BASIC[g]] for name in names] for g in order])
        measures = {
            name: {group: cellwise[name, basic_name(group, minority)].to_json() for group in GROUPS}
            for name in panel.columns
        }
        both = [means.contributions[BASIC.index(f"true:{part}"), :, 0] for part in ("positive", "negative")]
        rates, calibration = _rates(manifest, panel, a, cellwise, correlation(*both), level)
        entries[attribute] = {
            "minority": class_name(minority),
            "train_counts": list(manifest.train_counts.get(attribute, (0, 0))),
            "counts": _counts(panel, a),
            "rates": {name: rate.to_json() for name, rate in rates.items()},
            "calibration": calibration,
            "measures": measures,
        }
    return entries, overall_of(average, names, level)


def _cellwise(
    names: Sequence[str], a: int, means: GroupMeans, proportions: Mapping[str, Mapping[str, Shares]]
) -> dict[tuple[str, str], Estimate]:
    """Make the estimates of attribute ``a`` by measure and group."""
    result = {}
    for c, name in enumerate(names):
        for g, group in enumerate(BASIC):
            if name in proportions:
                result[name, group] = proportions[name][group].estimate(a)
            else:
                result[name, group] = means.estimate(g, c)
    return result


def overall_of(average: AttributeAverage, names: Sequence[str], level: float) -> dict[str, Any]:
    """Return ``{"rates": {measure: estimate}, "measures": {column: {group: estimate}}}`` of means over attributes.

    ``attributes`` and ``small_attributes`` count all attributes and those with a small cell.
    """

    def entry(group: str, c: int) -> dict[str, Any]:
        at = GROUPS.index(group), c
        mean = average.estimate(*at, level)
        counts = {"attributes": int(average.count[at]), "small_attributes": int(average.small[at])}
        return {**mean.to_json(), **counts}

    return {
        "rates": {name: entry(group, 0) for name, group in ERROR_RATES.items()} if WRONG in names else {},
        "measures": {name: {g: entry(g, c) for g in GROUPS} for c, name in enumerate(names) if name != WRONG},
    }


def _rates(
    manifest: Manifest,
    panel: Panel,
    a: int,
    cellwise: Mapping[tuple[str, str], Estimate],
    between_classes: float,
    level: float,
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    rates = error_rates(cellwise, int(panel.minority[a]), between_classes)
    label, logit = panel.label[:, a], panel.logit[:, a]
    rates["auroc"], rates["ap"] = ranking(logit, label, panel.clusters, level)
    calibrated, calibration = attribute_calibration(manifest, panel, a, level)
    return rates | calibrated, calibration


def error_rates(
    cellwise: Mapping[tuple[str, str], Estimate], minority: int, between_classes: float
) -> dict[str, Estimate]:
    """Return the rates of ``ERROR_RATES``, the accuracy and the balanced error of an attribute.

    Args:
        cellwise: Estimates by measure and group, of ``BASIC``.
        minority: The minority class, +1 or -1.
        between_classes: Correlation of the two classes' error rates.
    """
    rates = {name: cellwise[WRONG, basic_name(group, minority)] for name, group in ERROR_RATES.items()}
    error = rates["error"]
    rates["accuracy"] = Estimate(
        1 - error.value, 1 - error.high, 1 - error.low, error.images, error.identities, error.status, error.method
    )
    # Both classes together are the images of the error, whose clusters are counted once there.
    rates["balanced_error"] = mean_of_two(
        rates["fnr"], rates["fpr"], correlation=between_classes, identities=error.identities
    )
    return rates


def _counts(panel: Panel, a: int) -> dict[str, int]:
    cell = panel.cell[:, a]
    return counts_of([int((cell == n).sum()) for n in range(len(CELLS))], int((cell < 0).sum()))


def counts_of(cells: Sequence[int], nan_logit: int) -> dict[str, int]:
    """Return the entry ``counts`` of an attribute from its number of images in each of ``CELLS``."""
    counted = dict(zip(CELLS, cells, strict=True))
    unknown = counted.pop("P?") + counted.pop("N?")
    return {**counted, "unknown": unknown, "nan_logit": nan_logit}
