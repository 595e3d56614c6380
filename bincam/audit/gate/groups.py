"""Rules on groups of people: a measure within one group of a column, and the largest gap between two of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bincam.audit.gate.verdict import Verdict, needed
from bincam.audit.summary.groups.divisions import TIMES
from bincam.errors import InputError, in_a_line, nearest
from bincam.stats.estimate import undefined
from bincam.stats.formatting import images, listed
from bincam.stats.outcomes import ERROR_RATES, GROUPS

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

GAP = "gap"
_MOST_LISTED = 12
"""Groups that a message lists."""


@dataclass(frozen=True)
class Groups:
    """What a rule on groups is about.

    Attributes:
        column: The division as the summary names it, such as ``Male`` or ``group.sex*group.age``.
        value: One group; empty for the gap between two.
        measure: The measure, of a gap that within the parentheses.
    """

    column: str
    value: str
    measure: str

    @property
    def shown(self) -> str:
        """The division, and the group where it is of one."""
        return f"{bare(self.column)}:{self.value}" if self.value else bare(self.column)


def read_groups(rest: str, measures: Sequence[str], audit: Audit, where: str) -> Groups | None:
    """Read ``MEASURE@COLUMN:GROUP`` or ``gap(MEASURE, COLUMN)``.

    Names are found among those that the summary has, so they may contain commas, signs, ``@``, colons and quotes. A
    name may also be written in double quotes, as in JSON, or in single ones: one that ends in a sign of comparison has
    to be, and one where a colon could be read in two ways.

    Args:
        rest: The left side of a rule after the attribute.
        measures: Names of all measures that rules may have.
        audit: The audit.
        where: Start of messages.

    Returns:
        None for another rule.

    Raises:
        InputError: It is such a rule, and the group or the column is none of the audit's, or ambiguous.
    """
    rest = rest.strip()
    if rest.startswith(f"{GAP}("):
        return _gap(rest, audit, where)
    measure = max((name for name in measures if rest.startswith(f"{name}@")), key=len, default="")
    group = rest[len(measure) + 1 :].strip()
    if not measure or group in GROUPS:
        return None
    entries = _entries(audit)
    pairs = dict.fromkeys((entry["column"], entry["value"]) for entry in entries if "value" in entry)
    found = [pair for pair in pairs if group in _spelled(pair)] or [
        pair for pair in pairs if group in _spelled((bare(pair[0]), pair[1]))
    ]
    if len(found) > 1:
        ways = listed([f"group {value!r} of {column!r}" for column, value in found])
        quoted = f"{measure}@{json.dumps(found[0][0], ensure_ascii=False)}:{found[0][1]}"
        raise InputError(f"{where}: {group!r} may be {ways}; quote the column, as in {quoted}")
    if found:
        return Groups(*found[0], measure)
    if measure not in ERROR_RATES:
        return None  # a group of records, such as predicted:majority, with its own message
    raise InputError(f"{where}: no group {group!r}{_known(pairs, group)}{_left_out(audit, group)}")


def _gap(rest: str, audit: Audit, where: str) -> Groups:
    form = f"{GAP}(MEASURE, COLUMN), such as {GAP}(minority_error, Male)"
    measure, comma, column = (part.strip() for part in rest[len(GAP) + 1 : -1].partition(","))
    if not rest.endswith(")") or not comma or not column:
        raise InputError(f"{where}: expected {form}")
    if measure not in ERROR_RATES:
        if measure.rpartition(".")[2] in ERROR_RATES:
            name, _, rate = measure.rpartition(".")
            raise InputError(f"{where}: the attribute stands before the gap: write {name}.{GAP}({rate}, {column})")
        raise InputError(f"{where}: {GAP} is of an error rate, and {measure!r} is none{nearest(measure, ERROR_RATES)}")
    columns = dict.fromkeys(entry["column"] for entry in _entries(audit))
    found = [name for name in columns if column in _quoted(name)] or [
        name for name in columns if column in _quoted(bare(name))
    ]
    if not found:
        known = [bare(name) for name in columns]
        close = nearest(column, known) if known else ""
        raise InputError(f"{where}: no groups of {column!r}{close}{_add(column, known)}{_left_out(audit, column)}")
    return Groups(found[0], "", measure)


def divided(summary: Mapping[str, Any], groups: Groups) -> list[str]:
    """List the attributes, sets and outputs that have the measure by these groups."""
    return list(dict.fromkeys(entry["attribute"] for entry in _matching(summary, groups)))


def group_figure(summary: Mapping[str, Any], groups: Groups, name: str) -> Mapping[str, Any]:
    """Find the estimate within a group, or of the largest gap, in a summary.

    Args:
        summary: The content of ``summary.json``.
        groups: Of ``read_groups``.
        name: Attribute, set or output.

    Returns:
        The estimate; of a gap with ``few``, the groups that are too small, and with a ``reason`` where fewer than two
        groups can be compared.

    Raises:
        InputError: The summary has none.
    """
    entry = next((one for one in _matching(summary, groups) if one["attribute"] == name), None)
    text = f"{name}.{groups.measure}"
    if entry is None and name in _columns(summary, groups.column):
        raise InputError(f"{text} by {bare(groups.column)}: an attribute is not divided by itself")
    if entry is None:
        measures = dict.fromkeys(
            one["measure"] for one in summary.get("slices", ()) if one["attribute"] == name and "value" in one
        )
        has = f"; by groups it has {', '.join(measures)}" if measures else f"; {name!r} was not divided by groups"
        raise InputError(f"summary.json has no {text} by {bare(groups.column)}{has}")
    if groups.value:
        return entry["estimate"]  # type: ignore[no-any-return]
    if "largest_gap" not in entry:
        raise InputError(
            f"summary.json has no gap of {text}: an earlier version wrote it; make it again with 'bincam summarise "
            "AUDIT'"
        )
    figure = {**entry["largest_gap"], "few": entry["few"]}
    if figure["value"] is None:
        figure |= {"reason": f"fewer than two groups to compare{_few(entry['few'])}", "too_few": True}
    return figure


def limited(verdict: Verdict, reason: str, sign: str, few: Sequence[Mapping[str, Any]]) -> tuple[Verdict, str]:
    """Withdraw a verdict on a gap that a group of too few people could turn.

    The largest gap may only grow with a further group, so a gap of the others that is too large stays too large.

    >>> few = [{"value": "negative", "images": 4, "identities": 2}]
    >>> limited("pass", "", "<=", few)
    ('insufficient', 'too few in negative: 4 images of 2 people; at least 20 of 5 people are needed')
    >>> limited("fail", "the whole interval breaks <= 0.1", "<=", few)
    ('fail', 'the whole interval breaks <= 0.1')
    """
    turns = "pass" if sign in ("<", "<=") else "fail"
    if not few or verdict not in (turns, "insufficient"):
        return verdict, reason
    return "insufficient", reason if reason and "too few" in reason else _few(few).removeprefix(": ")


def bare(column: str) -> str:
    """Return the name of a division without the prefixes of group columns.

    >>> bare("group.sex*group.age"), bare("Male")
    ('sex*age', 'Male')
    """
    return TIMES.join(part.removeprefix("group.") for part in column.split(TIMES))


def _few(few: Sequence[Mapping[str, Any]]) -> str:
    counts = {entry["value"]: undefined("", entry["images"], entry["identities"]) for entry in few}
    if not counts:
        return ""
    smallest = min(counts, key=lambda value: counts[value].images)
    others = f" and {len(counts) - 1} more" if len(counts) > 1 else ""
    return f": too few in {smallest}{others}: {images(counts[smallest])}; {needed(counts[smallest])}"


def _matching(summary: Mapping[str, Any], groups: Groups) -> list[Mapping[str, Any]]:
    return [
        entry
        for entry in summary.get("slices", ())
        if (entry["column"], entry["measure"]) == (groups.column, groups.measure)
        and (entry.get("value") == groups.value if groups.value else "worst" in entry)
    ]


def _columns(summary: Mapping[str, Any], column: str) -> Sequence[str]:
    entry: Mapping[str, Any] = next((one for one in summary.get("slices", ()) if one["column"] == column), {})
    return entry.get("columns", [column])  # type: ignore[no-any-return]


def _entries(audit: Audit) -> Sequence[Mapping[str, Any]]:
    summary: Mapping[str, Any] = getattr(audit, "summary", None) or {}
    entries: Sequence[Mapping[str, Any]] = summary.get("slices", ())
    return entries


def _quoted(name: str) -> tuple[str, ...]:
    return name, json.dumps(name, ensure_ascii=False), f"'{name}'"


def _spelled(pair: tuple[str, str]) -> set[str]:
    """All ways to write a column and a value."""
    columns, values = _quoted(pair[0]), _quoted(pair[1])
    return {f"{column}:{space}{value}" for column in columns for value in values for space in ("", " ")}


def _known(pairs: Collection[tuple[str, str]], group: str) -> str:
    names = [f"{bare(column)}:{value}" for column, value in pairs]
    columns = dict.fromkeys(bare(column) for column, _ in pairs)
    if not names:
        return ": the audit has no groups" + _add("COLUMN")
    close = nearest(group, names)
    if close.startswith("; did you mean"):
        return close + _add("COLUMN", columns)
    shown = ", ".join(map(repr, names[:_MOST_LISTED]))
    rest = f", ... ({len(names)} in all)" if len(names) > _MOST_LISTED else ""
    return f"; the audit has {shown}{rest}{_add('COLUMN', columns)}"


def _add(column: str, columns: Iterable[str] = ()) -> str:
    """How to slice by a further column: the option replaces the columns that the audit has."""
    names = (f'"{name}"' if "," in name else name for name in dict.fromkeys((*columns, column)))
    return (
        " (if it is a column of the data or an attribute, add it with 'bincam summarise AUDIT --slice-by "
        f"{shlex.quote(','.join(names))}')"
    )


def _left_out(audit: Audit, group: str) -> str:
    """The reason why a column that was asked for divides nothing; empty otherwise."""
    summary: Mapping[str, Any] = getattr(audit, "summary", None) or {}
    for entry in summary.get("slices_left_out", ()):
        if group.startswith(bare(entry["column"])):
            return in_a_line(f" ({entry['reason']})")
    return ""
