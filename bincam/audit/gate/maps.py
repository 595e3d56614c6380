"""Measures of maps as such in rules: do they depend on the model, and are they the attribute's own?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.schema import CELL_COLUMNS, MASKS, measure_columns
from bincam.audit.gate.boxes import BOX_MEASURES
from bincam.audit.summary.summarize import column_of
from bincam.errors import InputError, nearest
from bincam.references import REFERENCES

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

NOT_TESTED = "the randomisation test"
"""What every reason names that a rule on maps is not decided for."""


def not_passed(summary: Mapping[str, Any], measure: str) -> str:
    """Say why a rule on maps may not be decided: its method did not pass the randomisation test.

    Rules on errors, calibration, sets and the ledger rest on no map, and those on the test itself and on the
    specificity of attributes are tests of maps. Boxes and prediction grids rest on the primary method.

    Args:
        summary: The content of ``summary.json``.
        measure: The measure of a rule.

    Returns:
        The reason; empty for a measure that rests on no map, and for a method that passed.

    >>> gates = {"cam": {"verdict": "fail", "passed": False, "reason": "the same map for every image"}}
    >>> not_passed({"methods": ["cam"], "gates": gates}, "gain")
    'cam did not pass the randomisation test (the same map for every image); --allow-untested judges it nevertheless'
    >>> not_passed({"methods": ["cam"], "gates": gates}, "minority_error")
    ''
    """
    method = _method(summary["methods"], measure)
    if not method:
        return ""
    gate = (summary.get("gates") or {}).get(method)
    nevertheless = "--allow-untested judges it nevertheless"
    if gate is None:
        return f"{method} was not put to {NOT_TESTED} (bincam audit --gate-images 64); {nevertheless}"
    if gate.get("passed"):
        return ""
    return f"{method} did not pass {NOT_TESTED} ({gate.get('reason')}); {nevertheless}"


def _method(methods: Sequence[str], measure: str) -> str:
    """Name the method whose maps a measure is made of; empty where it is made of none."""
    if not methods:
        return ""
    name = measure.removeprefix("gap(").removesuffix(")")  # between groups, it rests on what the measure rests on
    if name in BOX_MEASURES:
        return methods[0]
    column = column_of(name, methods)
    if column in CELL_COLUMNS:
        return methods[0]
    own = measure_columns(methods, tuple(MASKS))
    if column not in own or column.partition(".")[0] in REFERENCES:
        return ""
    return next((method for method in methods if column.startswith(f"{method}.")), "")


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
