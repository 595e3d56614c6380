"""Rules that an audit must pass: each passes, fails, or has insufficient evidence for a decision."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.parts.sets import slots
from bincam.audit.folder.schema import measure_columns
from bincam.audit.gate.boxes import BOX_MEASURES, box_figure, box_names, check_boxes
from bincam.audit.gate.calibration import ERRORS, bounded_error, undefined_reason
from bincam.audit.gate.cells import has_cells, nothing_missed, refuse_without_cells
from bincam.audit.gate.conditions import CONDITIONED, applies, conditioned, read_condition
from bincam.audit.gate.label_sets import (
    LABEL_SET_MEASURES,
    PRIMARY,
    check_label_sets,
    label_set_figure,
    label_set_names,
)
from bincam.audit.gate.maps import MAP_MEASURES, map_figure, map_names, map_rule
from bincam.audit.gate.sets import ONLY_OF_SETS, check_measure, entry_of, judged_names, set_rates
from bincam.audit.gate.small_parts import few_in_a_part
from bincam.audit.gate.verdict import Verdict, decide
from bincam.audit.summary.groups.differences import DIFFERENCES
from bincam.audit.summary.label_noise import NOISE_RATES
from bincam.audit.summary.sets.entry import SET_RATES
from bincam.audit.summary.summarize import RATES, SHORT, column_of
from bincam.errors import InputError, nearest
from bincam.files import read_yaml
from bincam.stats.estimate import Estimate
from bincam.stats.outcomes import ERROR_RATES, GROUPS

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

GATED_RATES = (*RATES, *NOISE_RATES, *ONLY_OF_SETS)
"""Rates that rules may name; some exist where a share of wrong labels was stated, and some of sets of outputs alone."""

# An equals sign may be within the left side (specificity=0.95), but not at its end. The last sign compares, because a
# name may contain one.
_RULE = re.compile(r"^(?P<left>.*[^<>!=\s])\s*(?P<sign><=|>=|<|>)\s*(?P<bound>[^<>=!]+)$")
_FORM = (
    "expected [ATTRIBUTE.]MEASURE[@CONDITION], one of <= < >= >, and a number, such as 'minority_error<=0.2' or "
    "'Smiling.gain@predicted:majority>=0.1'"
)


@dataclass(frozen=True)
class Rule:
    """A rule ``[ATTRIBUTE.]MEASURE[@CONDITION] SIGN BOUND``, such as ``Smiling.gain@predicted:majority>=0.1``.

    In place of an attribute it may name a set of outputs (``race.accuracy>=0.9``) or one of its outputs
    (``White.fnr<=0.1``). Without a name it is applied to everything that has the measure.

    Attributes:
        text: The text of the rule.
        measure: A rate, or a record column; a short name such as ``gain`` is the primary method's.
        attribute: The attribute, set or output; None for all, ``overall`` for the mean over attributes.
        group: A group of images, of record columns; ``specificity=0.95``, ``sensitivity=0.95`` or ``prevalence=0.1`` of
            measures that are stated at one; the column of differences between groups; ``all`` for other rates.
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
        """True if the measure is a rate, which has no groups."""
        return self.measure in GATED_RATES


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


def parse_rule(text: str, audit: Audit, where: str = "--rule") -> Rule:
    """Parse a rule, and check every name in it.

    Args:
        text: The rule, such as ``minority_error<=0.2``, ``Smiling.gain>=0.3`` or ``gain@predicted:majority>=0.1``.
        audit: The audit, with its attributes, methods and masks.
        where: Origin of the rule, for messages.

    Raises:
        InputError: The text is no rule, or an attribute, measure or group is unknown; the message names the nearest.

    Example:
        >>> from types import SimpleNamespace
        >>> audit = SimpleNamespace(attributes=("Smiling", "Young"), methods=("grad_cam",), masks=())
        >>> rule = parse_rule("Smiling.gain@predicted:majority >= 0.1", audit)
        >>> rule.attribute, rule.measure, rule.group, rule.sign, rule.bound
        ('Smiling', 'gain', 'predicted:majority', '>=', 0.1)
        >>> parse_rule("Smilling.gain>=0.1", audit)
        Traceback (most recent call last):
        bincam.errors.InputError: --rule: 'Smilling.gain>=0.1': unknown attribute 'Smilling'; did you mean 'Smiling'?
    """
    match = _RULE.match(text.strip())
    if not match:
        raise InputError(f"{where}: {text!r} is no rule; {_FORM}")
    try:
        bound = float(match["bound"])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise InputError(f"{where}: {text!r}: the bound {match['bound']!r} is no number")
    attribute, measure, group = _left(match["left"], audit, f"{where}: {text!r}")
    return Rule(text.strip(), measure, attribute, group, match["sign"], bound)


def _left(left: str, audit: Audit, where: str) -> tuple[str | None, str, str]:
    """Split a rule's left side into attribute, measure and group. Specs of methods may contain ``@`` and ``.``, too."""
    if (of_maps := map_rule(left, audit, where)) is not None:
        return *of_maps, "all"
    one_of = getattr(audit, "one_of", {})
    cells = has_cells(audit)
    columns = measure_columns(audit.methods, audit.masks, sets=bool(one_of), cells=cells)
    short = {name.removeprefix(f"{audit.methods[0]}.") for name in columns if name.startswith(f"{audit.methods[0]}.")}
    short |= {name for name, column in SHORT.items() if column in columns}
    measures = (*GATED_RATES, *CONDITIONED, *BOX_MEASURES, *LABEL_SET_MEASURES, *MAP_MEASURES, *sorted(short), *columns)
    attribute: str | None = None
    rest = left.strip()
    large = _large(audit)
    outputs = [output for members in one_of.values() for output in members]
    names = tuple(dict.fromkeys((*audit.attributes, *outputs, *one_of)))
    heads = sorted((*names, "overall"), key=len, reverse=True)
    head = next((name for name in heads if rest.startswith(f"{name}.")), None)
    if head is not None:
        attribute, rest = head, rest[len(head) + 1 :]
    conditioned_measure, _, condition = (part.strip() for part in rest.partition("@"))
    named = rest.partition("@")[0] if conditioned_measure in DIFFERENCES else rest  # columns have names of any kind
    if any(sign in named for sign in "<>!"):
        raise InputError(f"{where} is no rule; {_FORM}")
    if attribute == "overall" and one_of and not audit.manifest.yes_or_no and rest.strip() not in BOX_MEASURES:
        raise InputError(
            f"{where}: 'overall' is the mean over yes-or-no attributes, and none was audited; write the rule for a "
            f"set, {next(iter(one_of))}, or for its outputs"
        )
    if rest.strip() in BOX_MEASURES:
        check_boxes(attribute, rest.strip(), audit, where)
        return attribute, rest.strip(), "all"
    if conditioned_measure in LABEL_SET_MEASURES:
        made_by = condition or PRIMARY
        check_label_sets(attribute, conditioned_measure, made_by, audit, where)
        return attribute, conditioned_measure, made_by
    if conditioned_measure in CONDITIONED:
        if attribute == "overall":
            raise InputError(f"{where}: {conditioned_measure} has no mean over attributes; write it for single ones")
        check_measure(attribute, conditioned_measure, one_of, large, where, rate=False)
        return attribute, conditioned_measure, read_condition(conditioned_measure, condition, where)
    measure, group = rest, ""
    for candidate in GROUPS:
        if rest.endswith(f"@{candidate}"):
            measure, group = rest[: -len(candidate) - 1], candidate
    if measure not in measures:
        refuse_without_cells(measure, cells, where)
        before, at, after = measure.rpartition("@")
        if at and before in measures:
            raise InputError(f"{where}: unknown group {after!r}{nearest(after, GROUPS)}")
        prefix, dot, tail = measure.partition(".")
        if attribute is None and dot and tail.partition("@")[0] in measures:
            raise InputError(f"{where}: unknown attribute {prefix!r}{nearest(prefix, names)}")
        if at and "=" in after:
            raise InputError(f"{where}: unknown measure {before!r}{nearest(before, CONDITIONED)}")
        raise InputError(f"{where}: unknown measure {measure!r}{nearest(measure, measures)}")
    if measure in GATED_RATES and group:
        raise InputError(f"{where}: {measure} is a rate of its own class and takes no group, got @{group}")
    if attribute == "overall" and measure in GATED_RATES and measure not in ERROR_RATES:
        raise InputError(f"{where}: {measure} has no mean over attributes; write the rule for single attributes")
    check_measure(attribute, measure, one_of, large, where, rate=measure in GATED_RATES)
    of_sets = {*outputs, *(slot for name in large for slot in slots(name))}
    if group.endswith((":minority", ":majority")) and attribute in of_sets:
        raise InputError(
            f"{where}: {attribute!r} is of a set, which has no majority and minority class; write "
            f"@{group.partition(':')[0]}:positive or :negative"
        )
    return attribute, measure, group or "all"


def _large(audit: Audit) -> tuple[str, ...]:
    """The sets whose outputs have no rows of their own."""
    return audit.manifest.large_sets if getattr(audit, "one_of", {}) else ()


def read_rules(file: str | os.PathLike[str], audit: Audit) -> list[Rule]:
    r"""Read rules from a YAML file: a list under the key ``rules``.

    Args:
        file: The file.
        audit: See ``parse_rule``.

    Raises:
        InputError: The file cannot be read, contains something else, or a rule is wrong.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> audit = SimpleNamespace(attributes=("Smiling",), methods=("grad_cam",), masks=())
        >>> file = Path(tempfile.mkdtemp()) / "rules.yaml"
        >>> _ = file.write_text("rules:\n- minority_error<=0.2\n- overall.gain>=0.1\n")
        >>> [(rule.attribute, rule.measure, rule.bound) for rule in read_rules(file, audit)]
        [(None, 'minority_error', 0.2), ('overall', 'gain', 0.1)]
    """
    content = read_yaml(file)
    rules = content.get("rules") if isinstance(content, dict) and set(content) == {"rules"} else None
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, str) for rule in rules):
        raise InputError(f"{file}: expected 'rules:' and a list of texts such as 'minority_error<=0.2', nothing else")
    return [parse_rule(rule, audit, f"{file}: rule {number}") for number, rule in enumerate(rules, start=1)]


def judge(summary: Mapping[str, Any], rules: Sequence[Rule]) -> list[Judgement]:
    """Apply rules to a summary, each to its attribute or to all.

    Args:
        summary: The content of ``summary.json``.
        rules: Of ``parse_rule``.

    Returns:
        A judgement for each rule and attribute.

    Raises:
        InputError: The summary lacks an attribute or a measure that the audit's records have.

    Example:
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
        judged += [_judge(summary, rule, name) for name in names]
    return judged


def _names(summary: Mapping[str, Any], rule: Rule) -> list[str]:
    """What a rule without a name is applied to."""
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
    if rule.measure in DIFFERENCES:
        return f"nothing that was audited is divided by {rule.group!r}; write it for another column"
    if rule.group.endswith((":minority", ":majority")):
        group = rule.group.partition(":")[0]
        return f"no yes-or-no attribute was audited, and outputs of sets have no minority; write @{group}:positive"
    what = ", ".join(summary.get("sets") or {})
    return f"nothing that was audited has {rule.measure}; sets have {', '.join(SET_RATES)}: {what}"


def _judge(summary: Mapping[str, Any], rule: Rule, name: str) -> Judgement:
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

    >>> from bincam.stats.estimate import undefined
    >>> rule = Rule("ece<=0.1", "ece", None, "all", "<=", 0.1)
    >>> judged = [Judgement(rule, "Bald", "insufficient", undefined("bootstrap"), "no interval")]
    >>> passed(judged), passed(judged, allow_insufficient=True)
    (False, True)
    """
    allowed = {"pass", "insufficient"} if allow_insufficient else {"pass"}
    return all(judgement.verdict in allowed for judgement in judged)
