"""Measures of maps as such in rules: do they depend on the model, and are they the attribute's own?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

OF_METHODS: Mapping[str, str] = {"randomisation_excess": "excess", "variance_left": "variance_left"}
"""Measures of a method's randomisation test, and their keys in the summary's ``gates``."""

OF_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "own_share": ("own_share",),
    "own_share_gain": ("share", "excess"),
    "own_region_gain": ("region", "excess"),
}
"""Measures of an attribute's specificity, and the keys that lead to each in an entry of ``specificity``."""

MAP_MEASURES = (*OF_METHODS, *OF_ATTRIBUTES)


def map_rule(left: str, audit: Audit, where: str) -> tuple[str | None, str] | None:
    """Read the left side of a rule on such a measure.

    Args:
        left: ``[METHOD.]randomisation_excess``, ``[ATTRIBUTE.]own_share`` and the like.
        audit: The audit.
        where: Start of the message.

    Returns:
        The method or attribute, None for all, and the measure; None for another measure.

    Raises:
        InputError: The audit has not measured it, or the name is unknown.

    >>> map_rule("Smiling.gain", None, "--rule") is None
    True
    """
    name, _, measure = (part.strip() for part in left.strip().rpartition("."))
    if measure not in MAP_MEASURES:
        return None
    if measure in OF_METHODS:
        tested = audit.sample.get("gates", {})
        if not tested:
            raise InputError(f"{where}: the audit tested no method; make it with --gate-images 64")
        if any("verdict" not in gate for gate in tested.values()):
            raise InputError(f"{where}: an earlier version tested the methods, in another way; make the audit again")
        known, what = tuple(tested), "a method"
    else:
        if not audit.specificity:
            raise InputError(f"{where}: the audit is of an earlier version, which has no {measure}; make it again")
        known, what = tuple(audit.specificity["attributes"]), "an attribute"
        if not known:
            raise InputError(f"{where}: no {measure}: {audit.specificity['reason']}")
    if name and name not in known:
        raise InputError(f"{where}: {measure} is of {what}, and {name!r} is none{nearest(name, known)}")
    return name or None, measure


def map_names(summary: Mapping[str, Any], measure: str) -> list[str]:
    """List the methods or attributes that have a measure."""
    return list(summary["gates"] if measure in OF_METHODS else summary["specificity"]["attributes"])


def map_figure(summary: Mapping[str, Any], measure: str, name: str) -> Mapping[str, Any] | None:
    """Find the estimate of a measure; None where the summary lacks it.

    An estimate that is not there has the reason. ``randomisation_excess`` of maps that are the same for every image is
    not computed, which is an error and no lack of evidence.

    >>> gate = {"verdict": "fail", "reason": "the same map for every image", "excess": {"value": None}}
    >>> found = map_figure({"gates": {"cam": gate}}, "randomisation_excess", "cam")
    >>> found["reason"], found["too_few"]
    ('the same map for every image', False)
    """
    if measure in OF_METHODS:
        entry: Mapping[str, Any] = summary.get("gates", {}).get(name, {})
        figure: Mapping[str, Any] | None = entry.get(OF_METHODS[measure])
    else:
        entry = (summary.get("specificity") or {}).get("attributes", {}).get(name, {})
        keys = OF_ATTRIBUTES[measure]
        entry = entry.get(keys[0], {}) if len(keys) > 1 else entry.get("share", {}) | entry.get(keys[0], {})
        figure = entry.get(keys[1]) if len(keys) > 1 else entry
    if figure is None or figure.get("value") is not None:
        return figure
    return {**figure, "reason": entry.get("reason", ""), "too_few": entry.get("verdict") == "cannot tell"}
