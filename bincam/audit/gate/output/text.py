"""Judgements as text: JUnit XML for a CI server, and Markdown for a summary page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from bincam import display
from bincam.audit.gate.judgements import Judgement
from bincam.audit.gate.verdict import VERDICTS
from bincam.errors import in_a_line
from bincam.markdown import code, plain
from bincam.stats.formatting import decimals, interval, number, written

_MOST_DIGITS = 6
_MARKS = {"pass": "pass", "fail": "**fail**", "insufficient": "insufficient evidence", "error": "**error**"}


def counted(judged: Sequence[Judgement]) -> Mapping[str, int]:
    """Count the judgements with each verdict."""
    return {name: sum(judgement.verdict == name for judgement in judged) for name in VERDICTS}


def markdown(judged: Sequence[Judgement], title: str, *, open_: bool, lead: Sequence[str] = ()) -> str:
    """Write a heading, the counts, and a table: first the rules that did not pass, each part in the rules' order.

    Args:
        judged: Of ``judge``.
        title: Title of the heading, such as the name of the audit.
        open_: True if the gate is open, see ``passed``.
        lead: Sentences to stand above the table.
    """
    counts = ", ".join(f"{number} {_in_words(name)}" for name, number in counted(judged).items() if number)
    order = sorted(judged, key=lambda judgement: ("error", "fail", "insufficient", "pass").index(judgement.verdict))
    lines = [
        f"# Gate {'open' if open_ else 'closed'}: {plain(title)}",
        "",
        *(f"- {plain(sentence)}" for sentence in lead),
        *([""] if lead else []),
        f"{display.counted(len(judged), 'check')}: {counts}.",
        "",
        "| verdict | rule | attribute | value | interval | images | people | reason |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for judgement in order:
        estimate, digits = judgement.estimate, digits_of(judgement)
        cells = [
            code(judgement.rule.text),
            plain(judgement.attribute),
            number(estimate.value, digits) + "†" * estimate.small,
            interval(estimate, digits=digits),
            f"{estimate.images:,}",
            "" if estimate.identities is None else f"{estimate.identities:,}",
            plain(judgement.reason),
        ]
        lines.append(f"| {_MARKS[judgement.verdict]} | {' | '.join(cells)} |")
    if any(judgement.estimate.small for judgement in judged):
        lines += ["", "† of too few images or people to rely on."]
    return "\n".join(lines) + "\n"


def junit(judged: Sequence[Judgement], title: str, *, allow_insufficient: bool = False) -> str:
    """Write JUnit XML: a test suite with a test case per rule and attribute.

    A failed rule is a ``failure``, an undefined estimate an ``error``. Insufficient evidence is a ``failure`` of its
    own type, because it keeps the gate closed; where it is allowed, it is ``skipped``.

    Args:
        judged: Of ``judge``.
        title: Name of the test suite.
        allow_insufficient: Insufficient evidence does not close the gate.
    """
    counts = counted(judged)
    failures = counts["fail"] + (0 if allow_insufficient else counts["insufficient"])
    totals = {
        "tests": str(len(judged)),
        "failures": str(failures),
        "errors": str(counts["error"]),
        "skipped": str(counts["insufficient"] if allow_insufficient else 0),
    }
    suites = ET.Element("testsuites", {"name": "bincam gate", **totals})
    suite = ET.SubElement(suites, "testsuite", {"name": _xml(title), **totals})
    for judgement in judged:
        rule, verdict = judgement.rule, judgement.verdict
        case = ET.SubElement(suite, "testcase", {"classname": _xml(judgement.attribute), "name": _xml(rule.text)})
        if verdict == "pass":
            continue
        tag = {"fail": "failure", "error": "error"}.get(verdict, "skipped" if allow_insufficient else "failure")
        about = {"message": _xml(judgement.reason)} | ({} if tag == "skipped" else {"type": verdict})
        ET.SubElement(case, tag, about).text = _xml(
            f"{rule.measure} ({rule.group}) = {written(judgement.estimate, digits=digits_of(judgement))}"
        )
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def digits_of(judgement: Judgement) -> int:
    """Return the decimals of an estimate: more than usual where it would round to a bound that it differs from."""
    estimate, bound = judgement.estimate, judgement.rule.bound
    figures = [figure for figure in (estimate.value, estimate.low, estimate.high) if math.isfinite(figure)]
    digits = decimals(estimate.value, estimate.low, estimate.high) if estimate.defined else 2
    while digits < _MOST_DIGITS and any(round(f, digits) == round(bound, digits) and f != bound for f in figures):
        digits += 1
    return digits


def _in_words(name: str) -> str:
    return "insufficient evidence" if name == "insufficient" else name


def _xml(text: str) -> str:
    """Text of any content in XML, which has no control characters."""
    return re.sub("[\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", in_a_line(text))
