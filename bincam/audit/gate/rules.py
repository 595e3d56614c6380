"""Rules that an audit must pass: their form, and the names that they may contain."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bincam.audit.folder.parts.sets import slots
from bincam.audit.folder.schema import measure_columns
from bincam.audit.gate.boxes import BOX_MEASURES, check_boxes
from bincam.audit.gate.cells import has_cells, refuse_without_cells
from bincam.audit.gate.conditions import CONDITIONED, read_condition
from bincam.audit.gate.groups import GAP, Groups, read_groups
from bincam.audit.gate.label_sets import LABEL_SET_MEASURES, PRIMARY, check_label_sets
from bincam.audit.gate.maps import MAP_MEASURES, map_rule
from bincam.audit.gate.sets import ONLY_OF_SETS, check_measure
from bincam.audit.summary.groups.differences import DIFFERENCES
from bincam.audit.summary.label_noise import NOISE_RATES
from bincam.audit.summary.summarize import RATES, SHORT
from bincam.errors import InputError, nearest
from bincam.files import read_yaml
from bincam.stats.outcomes import ERROR_RATES, GROUPS
from bincam.yaml_text import item_lines

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

    On groups of people it is ``[ATTRIBUTE.]MEASURE@COLUMN:GROUP SIGN BOUND`` or ``[ATTRIBUTE.]gap(MEASURE, COLUMN)
    SIGN BOUND``.

    In place of an attribute it may name a set of outputs (``race.accuracy>=0.9``) or one of its outputs
    (``White.fnr<=0.1``). Without a name it is applied to everything that has the measure.

    Attributes:
        text: The text of the rule.
        measure: A rate, or a record column; a short name such as ``gain`` is the primary method's.
        attribute: The attribute, set or output; None for all, ``overall`` for the mean over attributes.
        group: A group of images, of record columns; ``specificity=0.95``, ``sensitivity=0.95`` or ``prevalence=0.1`` of
            measures that are stated at one; the column of differences between groups; ``COLUMN:GROUP`` of one group of
            people; ``all`` for other rates.
        sign: ``<=``, ``<``, ``>=`` or ``>``.
        bound: The number on the right.
        groups: What a rule on groups of people is about; None for others.
        file: The file that it was read from; empty for one of the command line.
        line: Its line there, from 1; 0 where it is not known.
    """

    text: str
    measure: str
    attribute: str | None
    group: str
    sign: str
    bound: float
    groups: Groups | None = None
    file: str = ""
    line: int = 0

    @property
    def is_rate(self) -> bool:
        """True if the measure is a rate of all images of its class."""
        return self.measure in GATED_RATES and self.groups is None


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
        >>> audit.summary = {"slices": [{"column": "Young", "value": "negative"}]}
        >>> rule = parse_rule("minority_error@Young:negative<=0.2", audit)
        >>> rule.measure, rule.groups.column, rule.groups.value
        ('minority_error', 'Young', 'negative')
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
    said = f"{where}: {text!r}"
    attribute, rest = _head(match["left"].strip(), _names(audit))
    groups = read_groups(rest, _measures(audit), audit, said)
    if groups is None:
        attribute, measure, group = _left(match["left"], audit, said)
        return Rule(text.strip(), measure, attribute, group, match["sign"], bound)
    if attribute == "overall":
        raise InputError(f"{said}: groups have no mean over attributes; write the rule for single ones, or for all")
    measure = groups.measure if groups.value else f"{GAP}({groups.measure})"
    return Rule(text.strip(), measure, attribute, groups.shown, match["sign"], bound, groups)


def _names(audit: Audit) -> tuple[str, ...]:
    """What may stand before the dot, besides ``overall``."""
    one_of = getattr(audit, "one_of", {})
    outputs = [output for members in one_of.values() for output in members]
    return tuple(dict.fromkeys((*audit.attributes, *outputs, *one_of)))


def _head(rest: str, names: Sequence[str]) -> tuple[str | None, str]:
    """Split off the name before the dot, if there is one."""
    heads = sorted((*names, "overall"), key=len, reverse=True)
    head = next((name for name in heads if rest.startswith(f"{name}.")), None)
    return head, rest if head is None else rest[len(head) + 1 :]


def _measures(audit: Audit) -> tuple[str, ...]:
    """All measures that a rule may name."""
    columns = measure_columns(
        audit.methods, audit.masks, sets=bool(getattr(audit, "one_of", {})), cells=has_cells(audit)
    )
    short = {name.removeprefix(f"{audit.methods[0]}.") for name in columns if name.startswith(f"{audit.methods[0]}.")}
    short |= {name for name, column in SHORT.items() if column in columns}
    return (*GATED_RATES, *CONDITIONED, *BOX_MEASURES, *LABEL_SET_MEASURES, *MAP_MEASURES, *sorted(short), *columns)


def _left(left: str, audit: Audit, where: str) -> tuple[str | None, str, str]:
    """Split a rule's left side into attribute, measure and group. Specs of methods may contain ``@`` and ``.``, too."""
    if (of_maps := map_rule(left, audit, where)) is not None:
        return *of_maps, "all"
    one_of, cells = getattr(audit, "one_of", {}), has_cells(audit)
    measures, large, names = _measures(audit), _large(audit), _names(audit)
    outputs = [output for members in one_of.values() for output in members]
    attribute, rest = _head(left.strip(), names)
    conditioned_measure, _, condition = (part.strip() for part in rest.partition("@"))
    named = rest.partition("@")[0] if conditioned_measure in DIFFERENCES else rest  # columns have names of any kind
    if any(sign in named for sign in "<>!") or rest.rstrip().endswith("@"):
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
        raise InputError(
            f"{where}: {measure} is a rate of its own class and takes no group, got @{group}; groups of "
            f"people are written {measure}@COLUMN:GROUP"
        )
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
    lines = item_lines(Path(file).read_text(encoding="utf-8"), "rules")
    return [
        replace(parse_rule(rule, audit, f"{file}: rule {number}"), file=os.fspath(file), line=line)
        for number, (rule, line) in enumerate(zip(rules, lines, strict=True), start=1)
    ]
