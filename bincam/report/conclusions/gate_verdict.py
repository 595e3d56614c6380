"""The verdict of a gate in plain words: is it open, what breaks a rule, and what could not be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bincam.audit.gate.judgements import Judgement
from bincam.audit.gate.maps import NOT_TESTED
from bincam.report.conclusions.frequencies import base_of, count_of
from bincam.report.conclusions.statements import Statement
from bincam.stats.formatting import counted, listed, significant, written

MOST_NAMED = 3

_ALLOWED = {"<=": "at most", "<": "fewer than", ">=": "at least", ">": "more than"}


def gate_verdict(judged: Sequence[Judgement], *, open_: bool) -> tuple[Statement, ...]:
    """Apply the rules of a gate's verdict, in the order of its statements.

    Args:
        judged: Of ``judge``.
        open_: True if the gate is open, see ``passed``.
    """
    return (is_open(judged, open_=open_), *broken(judged), *undecided(judged))


def is_open(judged: Sequence[Judgement], *, open_: bool) -> Statement:
    """Say if the gate is open, and how many checks pass, fail, or lack evidence."""
    found: Counter[str] = Counter(one.verdict for one in judged)
    if found["pass"] == len(judged):
        which = "the only check passes" if len(judged) == 1 else f"all {counted(len(judged), 'check')} pass"
        return Statement("gate", f"The gate is open: {which}.", tone="good")
    parts = [
        f"{found[name]} {one if found[name] == 1 else several}"
        for name, one, several in (
            ("fail", "fails", "fail"),
            ("error", "is undefined", "are undefined"),
            ("insufficient", "lacks evidence", "lack evidence"),
        )
        if found[name]
    ]
    text = f"The gate is {'open' if open_ else 'closed'}: of {counted(len(judged), 'check')} {listed(parts)}"
    if open_:
        return Statement("gate", f"{text}, which was allowed.", tone="care")
    return Statement("gate", f"{text}.", tone="bad" if found["fail"] or found["error"] else "care")


def broken(judged: Sequence[Judgement]) -> list[Statement]:
    """Name what breaks a rule with its whole interval, the furthest from its bound first."""
    failed = [one for one in judged if one.verdict == "fail"]
    failed.sort(key=lambda one: -abs(one.estimate.value - one.rule.bound))
    result = [
        Statement(
            "rule broken", f"{one.attribute}: {_against(one)}.", f"{one.rule.text}: {written(one.estimate)}", "bad"
        )
        for one in failed[:MOST_NAMED]
    ]
    if len(failed) > MOST_NAMED:
        result.append(Statement("rule broken", f"{len(failed) - MOST_NAMED} more break theirs, see below.", tone="bad"))
    return result


def undecided(judged: Sequence[Judgement]) -> list[Statement]:
    """Say why rules could not be decided: maps that did not pass their test, few images, intervals with the bound."""
    lacking = [one for one in judged if one.verdict == "insufficient"]
    if not lacking:
        return []
    maps = sum(NOT_TESTED in one.reason for one in lacking)
    few = sum(NOT_TESTED not in one.reason and (one.estimate.small or not one.estimate.images) for one in lacking)
    rest = len(lacking) - maps - few
    parts = [
        f"{count} {text}"
        for count, text in (
            (maps, "because of maps that did not pass the sanity test"),
            (few, "because of too few images or people"),
            (rest, "because the interval reaches to both sides of the bound"),
        )
        if count
    ]
    start = "1 check could not be decided" if len(lacking) == 1 else f"{len(lacking)} checks could not be decided"
    return [Statement("undecided", f"{start}: {listed(parts)}.", tone="care")]


def _against(judgement: Judgement) -> str:
    """Write a figure against the bound that it breaks; rates of errors as frequencies."""
    rule, value = judgement.rule, judgement.estimate.value
    measure = rule.measure.replace("_", " ")
    if (rule.measure in ("fnr", "fpr") or rule.measure.endswith("error")) and 0 <= rule.bound <= 1:
        base = base_of([value, rule.bound])
        allowed = f"{_ALLOWED[rule.sign]} {count_of(rule.bound, base)}"
        return f"{measure} in {count_of(value, base)} of {base:,} cases, where {allowed} are allowed"
    return f"{measure} is {significant(value, 3)}, where {_ALLOWED[rule.sign]} {significant(rule.bound)} is asked for"
