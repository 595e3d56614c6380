"""Measures of sets of outputs in rules: which measures a set and its outputs have, and where the summary keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.folder.parts.sets import slots
from bincam.audit.gate.conditions import CONDITIONED
from bincam.audit.summary.calibration import CALIBRATION_RATES
from bincam.audit.summary.sets.entry import OUTPUT_RATES, SET_RATES, TOP
from bincam.errors import InputError
from bincam.one_of import set_of

Sets = Mapping[str, Sequence[str]]
_TOP = f"top{TOP}_accuracy"
ONLY_OF_SETS = ("balanced_accuracy", "macro_auroc", _TOP)
"""Rates that sets have and attributes have not."""


def entry_of(summary: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Find the entry of an attribute, a set, an output or the rows of a large set; empty if the summary has none.

    >>> summary = {"attributes": {"Male": {"a": 1}}, "sets": {"hair": {"outputs": {"dark": {"b": 2}}}}}
    >>> entry_of(summary, "Male"), entry_of(summary, "dark"), entry_of(summary, "blond")
    ({'a': 1}, {'b': 2}, {})
    """
    attributes: Mapping[str, Mapping[str, Any]] = summary["attributes"]
    sets: Mapping[str, Mapping[str, Any]] = summary.get("sets") or {}
    if name in attributes:
        return attributes[name]
    if name in sets:
        return sets[name]
    parts = [part for entry in sets.values() for part in (entry["outputs"], entry.get("rows") or {})]
    return next((part[name] for part in parts if name in part), {})


def set_rates(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the rates of an entry of the summary; those of a set include the calibration of its confidence.

    >>> set_rates({"rates": {"accuracy": 1}, "confidence": {"rates": {"ece": 2}}})
    {'accuracy': 1, 'ece': 2}
    """
    return {**entry.get("rates", {}), **(entry.get("confidence") or {}).get("rates", {})}


def judged_names(summary: Mapping[str, Any], measure: str, *, rate: bool) -> list[str]:
    """List what a rule without a name is applied to: all attributes, and the sets and outputs with this measure.

    Of a large set, measures of maps are those of the predicted and of the true outputs.

    Args:
        summary: The content of ``summary.json``.
        measure: The measure.
        rate: True if it is a rate, which a set may have.
    """
    names = list(summary["attributes"])
    for name, entry in (summary.get("sets") or {}).items():
        names += [name] if rate and measure in set_rates(entry) else []
        if measure in CONDITIONED or not rate:
            names += [output for output, of_output in entry["outputs"].items() if "measures" in of_output]
            names += [] if measure in CONDITIONED else list(entry.get("rows") or {})
        else:
            names += [output for output, of_output in entry["outputs"].items() if measure in of_output["rates"]]
    return names


def check_measure(
    name: str | None, measure: str, one_of: Sets, large: Sequence[str], where: str, *, rate: bool = True
) -> None:
    """Refuse a measure that a set or an output does not have.

    Args:
        name: The attribute, set or output of the rule; None for all.
        measure: Its measure.
        one_of: The audited sets.
        large: Those whose outputs have no rows in the records.
        where: Start of the message.
        rate: True if the measure is a rate, False for a column of the records or a measure with a condition.

    Raises:
        InputError: The set or output has no such measure.

    >>> check_measure("dark", "minority_error", {"hair": ("dark", "blond")}, (), "rule")
    Traceback (most recent call last):
    bincam.errors.InputError: rule: 'dark' is an output of set 'hair' and has no minority_error; write it for the set, hair.minority_error
    """  # noqa: E501
    if measure in ONLY_OF_SETS and (
        not one_of or (name is not None and name not in one_of and not set_of(name, one_of))
    ):
        raise InputError(f"{where}: {measure} is a measure of a set of outputs{_sets(one_of)}")
    of_sets = (*SET_RATES, *CALIBRATION_RATES)
    if name is not None and name in one_of and measure not in of_sets:
        raise InputError(
            f"{where}: set {name!r} has no {measure}; a set has {', '.join(of_sets)}, its outputs have others, such as "
            f"{one_of[name][0]}.fnr"
        )
    if measure == _TOP and all(len(one_of[n]) <= TOP for n in one_of if name in (n, None)):
        raise InputError(
            f"{where}: {measure} is given for sets of more than {TOP} outputs; "
            + ", ".join(f"{n!r} has {len(members)}" for n, members in one_of.items() if name in (n, None))
        )
    explained = next((one for one in large if name in slots(one)), None)
    if explained is not None and (rate or measure in CONDITIONED):
        raise InputError(
            f"{where}: {name!r} is the {'predicted' if name == slots(explained)[0] else 'true'} output of every image "
            f"and has measures of its map alone, such as {name}.empty; write a rate for the set, "
            f"{explained}.accuracy, or for an output, {one_of[explained][0]}.fnr"
        )
    owner = None if name is None else set_of(name, one_of)
    if owner is None:
        return
    if rate and measure not in OUTPUT_RATES:
        remedy = f"write it for the set, {owner}.{measure}" if measure in SET_RATES else "it has fnr, fpr and auroc"
        raise InputError(f"{where}: {name!r} is an output of set {owner!r} and has no {measure}; {remedy}")
    if owner in large and measure not in ("fnr", "fpr", "auroc"):
        raise InputError(
            f"{where}: {name!r} is an output of set {owner!r}, whose {len(one_of[owner])} outputs have no records of "
            "their own (one_of_rows); it has fnr, fpr and auroc"
        )


def _sets(one_of: Sets) -> str:
    return f": write it for {', '.join(map(repr, one_of))}" if one_of else ", and the audit has none"
