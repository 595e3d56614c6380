"""A gate's judgements for others to read: JUnit XML for a CI server, Markdown for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from bincam.audit.gate.rules import VERDICTS, Judgement

_MARKS = {"pass": "pass", "fail": "**fail**", "insufficient": "insufficient evidence", "error": "**error**"}


def counted(judged: Sequence[Judgement]) -> Mapping[str, int]:
    """How many of each verdict."""
    return {name: sum(one.verdict == name for one in judged) for name in VERDICTS}


def markdown(judged: Sequence[Judgement], title: str, *, open_: bool) -> str:
    """A heading, the counts, and a table: what did not pass first, each part in the order of the rules."""
    counts = ", ".join(f"{number} {_plain(name)}" for name, number in counted(judged).items() if number)
    order = sorted(judged, key=lambda one: ("error", "fail", "insufficient", "pass").index(one.verdict))
    lines = [
        f"# Gate {'open' if open_ else 'closed'}: {_cell(title)}",
        "",
        f"{len(judged)} checks: {counts}.",
        "",
        "| verdict | rule | attribute | value | interval | images | people | reason |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in order:
        interval = f"[{number(one.low)}, {number(one.high)}]" if math.isfinite(one.low + one.high) else ""
        people = "" if one.identities is None else f"{one.identities:,}"
        cells = [
            f"`{one.rule.text}`",
            one.attribute,
            number(one.value),
            interval,
            f"{one.images:,}",
            people,
            one.reason,
        ]
        lines.append(f"| {_MARKS[one.verdict]} | {' | '.join(_cell(text) for text in cells)} |")
    return "\n".join(lines) + "\n"


def junit(judged: Sequence[Judgement], title: str, *, allow_insufficient: bool = False) -> str:
    """JUnit XML: a test suite, a test case per rule and attribute.

    A failed rule is a ``failure``, an undefined figure an ``error``. Insufficient evidence is a ``failure`` of its own
    type, because the gate does not open on it; where it is allowed, it is ``skipped``.
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
    suite = ET.SubElement(suites, "testsuite", {"name": title, **totals})
    for one in judged:
        case = ET.SubElement(suite, "testcase", {"classname": one.attribute, "name": one.rule.text})
        if one.verdict == "pass":
            continue
        tag = {"fail": "failure", "error": "error"}.get(one.verdict, "skipped" if allow_insufficient else "failure")
        told = ET.SubElement(case, tag, {"message": one.reason} | ({} if tag == "skipped" else {"type": one.verdict}))
        told.text = (
            f"{one.rule.measure} ({one.rule.group}) = {number(one.value)} [{number(one.low)}, {number(one.high)}]"
        )
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def number(value: float) -> str:
    """Four digits, or ``undefined``."""
    return f"{value:.4g}" if math.isfinite(value) else "undefined"


def _plain(name: str) -> str:
    return "insufficient evidence" if name == "insufficient" else name


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
