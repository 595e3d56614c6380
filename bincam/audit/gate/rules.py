"""Rules that an audit must meet: each passes, fails, or has too little evidence to decide."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from bincam.audit.folder.schema import measure_columns
from bincam.audit.summary.summarize import RATES, SHORT, column_of
from bincam.errors import InputError, nearest
from bincam.files import read_yaml
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, images, significant
from bincam.stats.outcomes import ERROR_RATES, GROUPS

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

Verdict = Literal["pass", "fail", "insufficient", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_RULE = re.compile(r"^(?P<left>[^<>=!]+?)\s*(?P<sign><=|>=|<|>)\s*(?P<bound>[^<>=!]+)$")


@dataclass(frozen=True)
class Rule:
    """``[ATTRIBUTE.]MEASURE[@GROUP] SIGN BOUND``.

    Attributes:
        text: As it was written.
        measure: A rate, or a record column: a bare name such as ``gain`` is the primary method's.
        attribute: The attribute it is about; None for every one, ``overall`` for the mean over them.
        group: A group of images; only record columns have groups.
        sign: ``<=``, ``<``, ``>=`` or ``>``.
        bound: The number on the right.
    """

    text: str
    measure: str
    attribute: str | None
    group: str
    sign: str
    bound: float

    @property
    def is_rate(self) -> bool:
        """Whether the measure is a rate, which has no groups."""
        return self.measure in RATES


@dataclass(frozen=True)
class Judgement:
    """A rule applied to one attribute.

    Attributes:
        rule: The rule.
        attribute: The attribute, or ``overall``.
        verdict: ``pass`` and ``fail`` where the whole interval keeps or breaks the rule; ``insufficient`` where it
            straddles the bound, or the cell is small; ``error`` where the estimate is undefined.
        estimate: The measure's, with what it rests on.
        reason: Why the verdict is not ``pass``; empty where it is.
    """

    rule: Rule
    attribute: str
    verdict: Verdict
    estimate: Estimate
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return its fields and the estimate's numbers, None for NaN."""
        estimate = self.estimate.to_json()
        return {
            "rule": self.rule.text,
            "attribute": self.attribute,
            "measure": self.rule.measure,
            "group": self.rule.group,
            "verdict": self.verdict,
            **{name: estimate[name] for name in ("value", "low", "high", "images", "identities")},
            "reason": self.reason,
        }


def parse_rule(text: str, audit: Audit, where: str = "--rule") -> Rule:
    """Read a rule, and check every name in it.

    Args:
        text: Such as ``minority_error<=0.2``, ``Smiling.gain>=0.3`` or ``gain@predicted:majority>=0.1``.
        audit: Whose attributes, methods and masks are known.
        where: Where it stands, for messages.

    Raises:
        InputError: It is no rule, or an attribute, measure or group is unknown; the nearest names are told.
    """
    found = _RULE.match(text.strip())
    if not found:
        raise InputError(
            f"{where}: {text!r} is no rule; expected [ATTRIBUTE.]MEASURE[@GROUP], one of <= < >= >, and a number, such "
            "as 'minority_error<=0.2' or 'Smiling.gain@predicted:majority>=0.1'"
        )
    try:
        bound = float(found["bound"])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise InputError(f"{where}: {text!r}: the bound {found['bound']!r} is no number")
    attribute, measure, group = _left(found["left"], audit, f"{where}: {text!r}")
    return Rule(text.strip(), measure, attribute, group, found["sign"], bound)


def _left(left: str, audit: Audit, where: str) -> tuple[str | None, str, str]:
    """Attribute, measure and group of a rule's left side. Specs of methods may hold ``@`` and ``.`` themselves."""
    columns = measure_columns(audit.methods, audit.masks)
    bare = {name.removeprefix(f"{audit.methods[0]}.") for name in columns if name.startswith(f"{audit.methods[0]}.")}
    known = (*RATES, *sorted(bare | set(SHORT)), *columns)
    attribute: str | None = None
    rest = left.strip()
    heads = sorted((*audit.attributes, "overall"), key=len, reverse=True)
    head = next((name for name in heads if rest.startswith(f"{name}.")), None)
    if head is not None:
        attribute, rest = head, rest[len(head) + 1 :]
    measure, group = rest, ""
    for candidate in GROUPS:
        if rest.endswith(f"@{candidate}"):
            measure, group = rest[: -len(candidate) - 1], candidate
    if measure not in known:
        before, at, after = measure.rpartition("@")
        if at and before in known:
            raise InputError(f"{where}: unknown group {after!r}{nearest(after, GROUPS)}")
        prefix, dot, tail = measure.partition(".")
        if attribute is None and dot and tail.partition("@")[0] in known:
            raise InputError(f"{where}: unknown attribute {prefix!r}{nearest(prefix, audit.attributes)}")
        raise InputError(f"{where}: unknown measure {measure!r}{nearest(measure, known)}")
    if measure in RATES and group:
        raise InputError(f"{where}: {measure} is a rate of its own class and takes no group, got @{group}")
    if attribute == "overall" and measure in RATES and measure not in ERROR_RATES:
        raise InputError(f"{where}: {measure} has no mean over attributes; give it per attribute")
    return attribute, measure, group or "all"


def read_rules(file: str | os.PathLike[str], audit: Audit) -> list[Rule]:
    """Read ``rules:``, a list of rules, from a YAML file.

    Raises:
        InputError: It cannot be read, is no such list, or holds a wrong rule.
    """
    held = read_yaml(file)
    rules = held.get("rules") if isinstance(held, dict) and set(held) == {"rules"} else None
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, str) for rule in rules):
        raise InputError(f"{file}: expected 'rules:' and a list of texts such as 'minority_error<=0.2', nothing else")
    return [parse_rule(rule, audit, f"{file}: rule {number}") for number, rule in enumerate(rules, start=1)]


def judge(summary: Mapping[str, Any], rules: Sequence[Rule]) -> list[Judgement]:
    """Apply rules to a summary, each to its attribute or to all.

    Args:
        summary: The content of ``summary.json``.
        rules: Of ``parse_rule``.

    Raises:
        InputError: The summary lacks an attribute or a measure that the audit's records have.
    """
    judged = []
    for rule in rules:
        names = list(summary["attributes"]) if rule.attribute is None else [rule.attribute]
        judged += [_judge(summary, rule, name) for name in names]
    return judged


def _judge(summary: Mapping[str, Any], rule: Rule, name: str) -> Judgement:
    entry = summary["overall"] if name == "overall" else summary["attributes"].get(name, {})
    if rule.is_rate:
        held = entry.get("rates", {}).get(rule.measure)
    else:
        held = entry.get("measures", {}).get(column_of(rule.measure, summary["methods"]), {}).get(rule.group)
    if held is None:
        raise InputError(f"summary.json has no {name}.{rule.measure} ({rule.group}); make the summary again")
    estimate = Estimate.from_json(held)
    verdict, reason = _verdict(rule, estimate, held)
    return Judgement(rule, name, verdict, estimate, reason)


def _verdict(rule: Rule, estimate: Estimate, entry: Mapping[str, Any]) -> tuple[Verdict, str]:
    if not estimate.images:
        reason = "no image to measure it on: none of this class, no region, or no map with positive evidence"
        return "insufficient", reason
    if not estimate.defined:
        return "error", f"undefined on all of {counted(estimate.images, 'image')}"
    if estimate.small:
        if "small_attributes" in entry:
            return "insufficient", f"too few images in {entry['small_attributes']} of {entry['attributes']} attributes"
        return "insufficient", f"too few: {images(estimate)}"
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return "insufficient", "no interval"
    kept = [_holds(end, rule.sign, rule.bound) for end in (estimate.low, estimate.high)]
    if all(kept):
        return "pass", ""
    bound = significant(rule.bound)
    if not any(kept):
        return "fail", f"the whole interval breaks {rule.sign} {bound}"
    return "insufficient", f"the interval straddles {bound}"


def _holds(value: float, sign: str, bound: float) -> bool:
    return {"<=": value <= bound, "<": value < bound, ">=": value >= bound, ">": value > bound}[sign]


def passed(judged: Sequence[Judgement], *, allow_insufficient: bool = False) -> bool:
    """Whether the gate opens: no rule failed or could not be measured, and none lacks evidence unless allowed."""
    allowed = {"pass", "insufficient"} if allow_insufficient else {"pass"}
    return all(one.verdict in allowed for one in judged)
