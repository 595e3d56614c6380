"""Intervals of two models' ledger figures, and of their differences, with references that vary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bincam.audit.summary.reference_variation import SHARES, group_means, is_few, jackknife_error, widen
from bincam.compare.paired_differences import COLUMNS
from bincam.references import FITTED
from bincam.stats.estimate import LEVEL
from bincam.stats.outcomes import BASIC, basic_name

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit


def vary_reference(name: str, entry: Mapping[str, Any], first: Audit, second: Audit, level: float = LEVEL) -> None:
    """Let the references vary in the intervals of an attribute's entry of ``contrast.json``, which is changed.

    The errors of both models' references are added as if independent, which is too wide where both were fitted on the
    same images. Images with concordant answers get the error of those for which the model predicts that class. Tests
    hold the references fixed.

    Args:
        name: The attribute.
        entry: Its entry.
        first: The first audit, whose minority counts.
        second: The second audit.
        level: Confidence level.
    """
    minority = 1 if entry["minority"] == "positive" else -1

    def error(audit: Audit, column: str, group: str) -> float | None:
        means = group_means(audit.variation, column, audit.attributes.index(name))
        if means is None:
            return None
        kind, _, part = group.partition(":")
        basic = basic_name(f"{'true' if kind == 'true' else 'predicted'}:{part}", minority)
        return jackknife_error(means[BASIC.index(basic)], level)

    few = [
        audit.manifest.references_from is not None and is_few(audit.manifest.references_from, name)
        for audit in (first, second)
    ]
    for column, groups in entry["measures"].items():
        if column.partition(".")[0] not in FITTED:
            continue
        share = column.rpartition(".")[2] in SHARES
        for group, models in groups.items():
            for audit, key, small in zip((first, second), (COLUMNS[0], COLUMNS[2]), few, strict=True):
                _mend(models[key], error(audit, column, group), share=share, few=small)
        for group, difference in entry["differences"].get(column, {}).items():
            errors = [error(audit, column, group) for audit in (first, second)]
            known = [value for value in errors if value is not None]
            _mend(difference["difference"], math.hypot(*known) if known else None, share=False, few=any(few))


def _mend(estimate: dict[str, Any], error: float | None, *, share: bool, few: bool) -> None:
    if error is not None:
        widen(estimate, error, share=share)
    if few and estimate["value"] is not None:
        estimate["status"] = "small"
