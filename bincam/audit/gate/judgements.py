"""Judgements of an audit's summary: each rule applied to its attribute or to all, and whether the gate opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bincam.audit.gate.boxes import BOX_MEASURES, box_figure, box_names
from bincam.audit.gate.calibration import ERRORS, bounded_error, undefined_reason
from bincam.audit.gate.cells import nothing_missed
from bincam.audit.gate.conditions import CONDITIONED, applies, conditioned
from bincam.audit.gate.groups import Groups, divided, group_figure, limited
from bincam.audit.gate.label_sets import LABEL_SET_MEASURES, label_set_figure, label_set_names
from bincam.audit.gate.maps import MAP_MEASURES, map_figure, map_names, not_passed
from bincam.audit.gate.rules import Rule
from bincam.audit.gate.sets import ONLY_OF_SETS, entry_of, judged_names, set_rates
from bincam.audit.gate.small_parts import few_in_a_part
from bincam.audit.gate.verdict import Verdict, decide
from bincam.audit.summary.groups.differences import DIFFERENCES
from bincam.audit.summary.label_noise import NOISE_RATES
from bincam.audit.summary.sets.entry import SET_RATES
from bincam.audit.summary.summarize import column_of
from bincam.errors import InputError
from bincam.stats.estimate import Estimate


@dataclass(frozen=True)
class Judgement:
    """A rule applied to one attribute.

    Attributes:
        rule: The rule.
        attribute: The attribute, or ``overall``.
        verdict: ``pass`` and ``fail`` if the whole interval keeps or breaks the rule; ``insufficient`` if it contains
            the bound, or the cell is small; ``error`` if the estimate is undefined. For ``ece`` the interval is that
            between the confidence bounds of the true error.
        estimate: The estimate of the measure; for ``ece`` the debiased one.
        reason: The reason of a verdict other than ``pass``; empty for ``pass``.
    """

    rule: Rule
    attribute: str
    verdict: Verdict
    estimate: Estimate
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields and the numbers of the estimate as a JSON object, None for NaN."""
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


def judge(summary: Mapping[str, Any], rules: Sequence[Rule], *, allow_untested: bool = False) -> list[Judgement]:
    """Apply rules to a summary, each to its attribute or to all.

    What is made of the maps of a method that did not pass the randomisation test is no evidence.

    Args:
        summary: The content of ``summary.json``.
        rules: Of ``parse_rule``.
        allow_untested: Decide rules on such maps nevertheless.

    Returns:
        A judgement for each rule and attribute.

    Raises:
        InputError: The summary lacks an attribute or a measure that the audit's records have.

    Example:
        >>> from bincam.audit.gate.rules import Rule
        >>> from bincam.stats.estimate import estimate
        >>> rule = Rule("minority_error<=0.2", "minority_error", None, "all", "<=", 0.2)
        >>> figures = {
        ...     "Bald": estimate(0.31, 0.24, 0.39, 150, None, "wilson"),
        ...     "Young": estimate(0.16, 0.10, 0.24, 100, None, "wilson"),
        ... }
        >>> attributes = {name: {"rates": {"minority_error": x.to_json()}} for name, x in figures.items()}
        >>> judged = judge({"methods": ["grad_cam"], "attributes": attributes}, [rule])
        >>> [(judgement.attribute, judgement.verdict, judgement.reason) for judgement in judged]
        [('Bald', 'fail', 'the whole interval breaks <= 0.2'), ('Young', 'insufficient', 'the interval contains 0.2')]
    """
    judged = []
    for rule in rules:
        names = [rule.attribute] if rule.attribute is not None else _names(summary, rule)
        if rule.attribute is None and rule.measure in CONDITIONED:
            names = [name for name in names if applies(summary, rule.measure, rule.group, name)]
        if not names:
            raise InputError(f"rule {rule.text!r}: {_nothing(summary, rule)}")
        doubt = "" if allow_untested else not_passed(summary, rule.measure)
        judged += [_doubted(_judge(summary, rule, name), doubt) for name in names]
    return judged


def _doubted(judgement: Judgement, doubt: str) -> Judgement:
    """Take back a verdict for which there is a doubt; what was not decided anyway keeps its own reason."""
    if not doubt or judgement.verdict not in ("pass", "fail"):
        return judgement
    return replace(judgement, verdict="insufficient", reason=doubt)


def _names(summary: Mapping[str, Any], rule: Rule) -> list[str]:
    """What a rule without a name is applied to."""
    if rule.groups is not None:
        return divided(summary, rule.groups)
    if rule.measure in BOX_MEASURES:
        return box_names(summary)
    if rule.measure in MAP_MEASURES:
        return map_names(summary, rule.measure)
    if rule.measure in LABEL_SET_MEASURES:
        return label_set_names(summary, rule.measure)
    if not summary.get("sets"):
        return list(summary["attributes"])
    names = judged_names(summary, rule.measure, rate=rule.is_rate)
    if rule.measure in ONLY_OF_SETS:
        return [name for name in names if name in summary["sets"]]
    if rule.group.endswith((":minority", ":majority")):  # classes that outputs of sets do not have
        return [name for name in names if name in summary["attributes"]]
    return names


def _nothing(summary: Mapping[str, Any], rule: Rule) -> str:
    """Why a rule without a name applies to nothing: it would open the gate without a check."""
    if rule.measure in DIFFERENCES or rule.groups is not None:
        return f"nothing that was audited is divided by {rule.group!r}; write it for another column"
    if rule.group.endswith((":minority", ":majority")):
        group = rule.group.partition(":")[0]
        return f"no yes-or-no attribute was audited, and outputs of sets have no minority; write @{group}:positive"
    what = ", ".join(summary.get("sets") or {})
    return f"nothing that was audited has {rule.measure}; sets have {', '.join(SET_RATES)}: {what}"


def _judge_groups(summary: Mapping[str, Any], rule: Rule, groups: Groups, name: str) -> Judgement:
    figure = group_figure(summary, groups, name)
    estimate = Estimate.from_json(figure)
    verdict, reason = decide(rule.sign, rule.bound, estimate, figure)
    if not groups.value:
        verdict, reason = limited(verdict, reason, rule.sign, figure["few"])
    return Judgement(rule, name, verdict, estimate, reason)


def _judge(summary: Mapping[str, Any], rule: Rule, name: str) -> Judgement:
    if rule.groups is not None:
        return _judge_groups(summary, rule, rule.groups, name)
    if rule.measure in MAP_MEASURES:
        entry: Mapping[str, Any] = {}
    else:
        entry = summary["overall"] if name == "overall" else entry_of(summary, name)
    figure: Mapping[str, Any] | None
    if rule.measure in MAP_MEASURES:
        figure = map_figure(summary, rule.measure, name)
    elif rule.measure in BOX_MEASURES:
        figure = box_figure(summary, rule.measure, name)
    elif rule.measure in LABEL_SET_MEASURES:
        figure = label_set_figure(summary, rule.measure, rule.group, name)
    elif rule.measure in CONDITIONED:
        figure = conditioned(summary, rule.measure, rule.group, name)
    elif rule.is_rate:
        figure = set_rates(entry).get(rule.measure)
    else:
        figure = entry.get("measures", {}).get(column_of(rule.measure, summary["methods"]), {}).get(rule.group)
    if figure is None and rule.measure in NOISE_RATES:
        raise InputError(
            f"rule {rule.text!r}: the audit states no share of wrong labels of {name!r}; add it with 'bincam summarise "
            f"AUDIT --label-noise {name}=SHARE', or write the rule for the attributes that have one"
        )
    if figure is None:  # what no summary has is refused with the rule, so this one is of an earlier version
        raise InputError(
            f"summary.json has no {name}.{rule.measure} ({rule.group}); an earlier version wrote it; make the "
            "summary again with 'bincam summarise AUDIT'"
        )
    estimate = Estimate.from_json(figure)
    calibration, why = entry.get("calibration") or entry.get("confidence") or {}, ""
    if rule.measure in ERRORS:
        estimate, why = bounded_error(rule.measure, estimate, calibration)
    few = few_in_a_part(rule.measure, name, entry) if rule.is_rate else ""
    verdict, reason = decide(rule.sign, rule.bound, estimate, figure, few)
    if verdict == "error" or not estimate.images:
        reason = undefined_reason(rule.measure, calibration) or nothing_missed(rule.measure, entry) or reason
    elif verdict == "insufficient" and why and estimate.images and not estimate.small:
        reason = f"{reason}: {why}"
    return Judgement(rule, name, verdict, estimate, reason)


def passed(judged: Sequence[Judgement], *, allow_insufficient: bool = False) -> bool:
    """Decide if the gate opens: every rule passes; with ``allow_insufficient``, or has insufficient evidence.

    >>> from bincam.audit.gate.rules import Rule
    >>> from bincam.stats.estimate import undefined
    >>> rule = Rule("ece<=0.1", "ece", None, "all", "<=", 0.1)
    >>> judged = [Judgement(rule, "Bald", "insufficient", undefined("bootstrap"), "no interval")]
    >>> passed(judged), passed(judged, allow_insufficient=True)
    (False, True)
    """
    allowed = {"pass", "insufficient"} if allow_insufficient else {"pass"}
    return all(judgement.verdict in allowed for judgement in judged)
