"""Measures in rules that hold at something: a stated rate, a prevalence, the groups of a column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.audit.summary.groups.differences import DIFFERENCES
from bincam.audit.summary.groups.divisions import TIMES
from bincam.errors import InputError, nearest
from bincam.stats.rates.operating_point import OTHER, check_rate
from bincam.stats.rates.predictive_value import AUDITED

STATED_AT: Mapping[str, str] = {
    **{str(rate): other for rate, other in OTHER.items()},
    "ppv": "prevalence",
    "npv": "prevalence",
}
"""What a measure is stated at."""

CONDITIONED = (*STATED_AT, *DIFFERENCES)
"""Measures that are followed by ``@CONDITION``."""

_OWN = {"sensitivity": "fnr", "specificity": "fpr"}


def read_condition(measure: str, text: str, where: str) -> str:
    """Read the condition of a measure of ``CONDITIONED``.

    Args:
        measure: The measure.
        text: What follows ``@``; empty without one.
        where: Start of the message.

    Returns:
        ``NAME=NUMBER`` with the number in its shortest form, ``prevalence=audited``, or the name of a column.

    Raises:
        InputError: The condition is missing, or not one of this measure.

    >>> read_condition("sensitivity", "specificity=0.950", ""), read_condition("ppv", "", "")
    ('specificity=0.95', 'prevalence=audited')
    """
    if measure in DIFFERENCES:
        if not text:
            raise InputError(f"{where}: {measure} is between the groups of a column: write {measure}@COLUMN")
        return TIMES.join(part.strip().removeprefix("group.") for part in text.split(TIMES))
    name = STATED_AT[measure]
    if not text and name == "prevalence":
        return f"{name}={AUDITED}"
    if not text:
        raise InputError(
            f"{where}: {measure} is stated at a {name}: write {measure}@{name}=0.95; at the model's own threshold it "
            f"is 1 - {_OWN[measure]}, and {_OWN[measure]} is a measure"
        )
    given, equals, number = (part.strip() for part in text.partition("="))
    if given != name or not equals:
        raise InputError(f"{where}: {measure} is stated at a {name}: expected {measure}@{name}=NUMBER, got @{text}")
    if name == "prevalence" and number == AUDITED:
        return f"{name}={AUDITED}"
    try:
        rate = float(number)
    except ValueError:
        raise InputError(f"{where}: the {name} {number!r} is no number") from None
    check_rate(rate, f"{where}: {name}")
    return f"{name}={rate:.10g}"


def applies(summary: Mapping[str, Any], measure: str, condition: str, attribute: str) -> bool:
    """Return False where a measure cannot have the condition for an attribute.

    No attribute is divided by itself, and no output of a set by this set or by an output of it.
    """
    return measure not in DIFFERENCES or not _own(summary, attribute) & set(_parts(summary, condition))


def conditioned(summary: Mapping[str, Any], measure: str, condition: str, attribute: str) -> Mapping[str, Any]:
    """Find the entry of a measure at a condition in a summary.

    Args:
        summary: The content of ``summary.json``.
        measure: Of ``CONDITIONED``.
        condition: Of ``read_condition``.
        attribute: The attribute.

    Raises:
        InputError: The summary has none; the message gives the command that adds it.
    """
    if measure in DIFFERENCES:
        for entry in summary.get("group_differences", ()):
            if (entry["measure"], entry["attribute"], _bare(entry["column"])) == (measure, attribute, condition):
                return entry  # type: ignore[no-any-return]
        raise InputError(_no_column(summary, measure, condition, attribute))
    name, _, number = condition.partition("=")
    entries = [e for e in _stated(summary, attribute) if e["measure"] == measure]
    for entry in entries:
        if entry["stated"] == number or (number != AUDITED and _is(entry["stated"], float(number))):
            return entry
    raise InputError(
        f"summary.json has no {attribute}.{measure} at a {name} of {number}; add it with 'bincam summarise AUDIT "
        f"{_option(summary, name, number, attribute)}'"
    )


def _stated(summary: Mapping[str, Any], attribute: str) -> list[Mapping[str, Any]]:
    sets: Mapping[str, Any] = summary.get("sets") or {}
    outputs = [entry["outputs"] for entry in sets.values()]
    entry: Mapping[str, Any] = next((e[attribute] for e in (summary["attributes"], *outputs) if attribute in e), {})
    return entry.get("stated", [])  # type: ignore[no-any-return]


def _is(stated: object, number: float) -> bool:
    return isinstance(stated, int | float) and abs(stated - number) < 1e-9


def _option(summary: Mapping[str, Any], name: str, number: str, attribute: str) -> str:
    """Return the option that adds a statement to those that the summary has."""
    stated = summary.get("stated", {})
    if name != "prevalence":
        return f"--{name} {','.join([*(f'{value:g}' for value in stated.get(name, ())), number])}"
    by_attribute = {key: list(values) for key, values in stated.get(name, {}).items()}
    by_attribute.setdefault(attribute, []).append(float(number))
    return " ".join(
        f"--prevalence '{key}={','.join(f'{value:.10g}' for value in values)}'" for key, values in by_attribute.items()
    )


def _no_column(summary: Mapping[str, Any], measure: str, condition: str, attribute: str) -> str:
    columns = list(dict.fromkeys(_bare(entry["column"]) for entry in summary.get("group_differences", ())))
    own = _own(summary, attribute)
    if own & set(_parts(summary, condition)):
        itself = "an attribute is not divided by itself" if own == {attribute} else "a set is not divided by itself"
        return f"{attribute}.{measure}@{condition}: {itself}"
    for left_out in summary.get("slices_left_out", ()):
        if _bare(left_out["column"]) == condition:
            return f"{attribute}.{measure}@{condition}: no such groups: {left_out['reason']}"
    names = ",".join(dict.fromkeys([*columns, condition]))
    return (
        f"summary.json has no {measure} between the groups of {condition!r}{nearest(condition, columns)}; if it is a "
        f"column, add it with 'bincam summarise AUDIT --slice-by '{names}''"
    )


def _own(summary: Mapping[str, Any], attribute: str) -> set[str]:
    """Return what does not divide an attribute: itself, or its set and all outputs of it."""
    for name, entry in (summary.get("sets") or {}).items():
        if attribute in entry["outputs"]:
            return {name, *entry["outputs"]}
    return {attribute}


def _bare(column: str) -> str:
    return TIMES.join(part.removeprefix("group.") for part in column.split(TIMES))


def _parts(summary: Mapping[str, Any], condition: str) -> tuple[str, ...]:
    """Return the columns of a condition: that of its entries, or those that its name consists of."""
    for entry in summary.get("group_differences", ()):
        if _bare(entry["column"]) == condition:
            return tuple(entry.get("columns", [entry["column"]]))
    return tuple(condition.split(TIMES))
