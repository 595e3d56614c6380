"""Judgements as SARIF 2.1.0, which code hosts and editors show beside a file's lines."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bincam._version import __version__
from bincam.audit.gate.judgements import Judgement, passed
from bincam.audit.gate.output.text import digits_of
from bincam.audit.gate.rules import Rule
from bincam.errors import in_a_line
from bincam.stats.formatting import stated

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LONGEST = 1000
_LINK = re.compile(r"\[(?=[^\]]*\]\()")
"""A bracket that would begin a link: in SARIF plain text may have links, as in Markdown (3.11.6)."""


def sarif(judged: Sequence[Judgement], audit: str | os.PathLike[str], *, allow_insufficient: bool = False) -> str:
    """Write SARIF 2.1.0: a rule for each rule of the gate, and a result for each judgement that is no pass.

    A failed rule and an undefined figure are of the level ``error``. Insufficient evidence is a ``warning``, because it
    keeps the gate closed; where it is allowed, it is a ``note``. What passes is no result, because a code host shows
    each as an alert; the number of judgements by verdict is among the run's properties. A result is located at its line
    of the file of rules; one of the command line at the audit's ``summary.json``.

    Args:
        judged: Of ``judge``.
        audit: The audit's folder.
        allow_insufficient: Insufficient evidence does not close the gate.

    Returns:
        A JSON document.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> rule = Rule("minority_error<=0.2", "minority_error", None, "all", "<=", 0.2, file="rules.yaml", line=2)
        >>> found = estimate(0.31, 0.24, 0.39, 150, 60, "wilson")
        >>> document = json.loads(sarif([Judgement(rule, "Bald", "fail", found, "too large")], "audits/one"))
        >>> (result,) = document["runs"][0]["results"]
        >>> result["ruleId"], result["level"], result["locations"][0]["physicalLocation"]
        ('minority_error<=0.2', 'error', {'artifactLocation': {'uri': 'rules.yaml'}, 'region': {'startLine': 2}})
    """
    rules = list(dict.fromkeys(judgement.rule.text for judgement in judged))
    ids = _ids(rules)
    counts: dict[str, int] = {}
    for judgement in judged:
        counts[judgement.verdict] = counts.get(judgement.verdict, 0) + 1
    run = {
        "tool": {
            "driver": {
                "name": "bincam gate",
                "version": __version__,
                "rules": [
                    {
                        "id": ids[text],
                        "shortDescription": {"text": message(text)},
                        "defaultConfiguration": {"level": "error"},
                    }
                    for text in rules
                ],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": 0 if passed(judged, allow_insufficient=allow_insufficient) else 1,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(judgement, ids[judgement.rule.text], rules.index(judgement.rule.text), audit, allow_insufficient)
            for judgement in judged
            if judgement.verdict != "pass"
        ],
        "properties": {"audit": in_a_line(os.fspath(audit)), "verdicts": counts},
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def message(text: str) -> str:
    r"""Write text of any content as a message: one line, without links, with braces doubled (SARIF 3.11.5).

    >>> print(message("a [b](c) {0}"))
    a \[b](c) {{0}}
    """
    line = _LINK.sub(lambda _: "\\[", in_a_line(text, _LONGEST))
    return line.replace("{", "{{").replace("}", "}}")


def uri(path: str | os.PathLike[str]) -> str:
    """Write a path as a URI, relative where the path is.

    >>> uri("my rules/50%.yaml"), uri("/srv/a:b.yaml")
    ('my%20rules/50%25.yaml', 'file:///srv/a%3Ab.yaml')
    """
    file = Path(path)
    text = quote(os.fsencode(file.as_posix()), safe="/")
    return f"file://{'' if text.startswith('/') else '/'}{text}" if file.is_absolute() else text


def _result(
    judgement: Judgement, rule: str, index: int, audit: str | os.PathLike[str], allow_insufficient: bool
) -> dict[str, Any]:
    estimate = stated(judgement.estimate, digits=digits_of(judgement))
    name, text = in_a_line(judgement.attribute), judgement.rule.text
    level = {"insufficient": "note" if allow_insufficient else "warning"}.get(judgement.verdict, "error")
    verdict = {"fail": "broken", "insufficient": "insufficient evidence", "error": "undefined"}[judgement.verdict]
    about = f"{name}: {text}: {verdict}: {judgement.reason}; {judgement.rule.measure} = {estimate}"
    return {
        "ruleId": rule,
        "ruleIndex": index,
        "kind": "fail",
        "level": level,
        "message": {"text": message(about)},
        "locations": [
            {
                "physicalLocation": _place(judgement.rule, audit),
                "logicalLocations": [{"name": name, "kind": "member"}],
            }
        ],
        "partialFingerprints": {"ruleAndName/v1": _digest(text, judgement.attribute)},
        "properties": _properties(judgement),
    }


def _properties(judgement: Judgement) -> dict[str, Any]:
    names = ("measure", "group", "verdict", "value", "low", "high", "images", "identities")
    content = judgement.to_json()
    return {name: content[name] for name in names}


def _place(rule: Rule, audit: str | os.PathLike[str]) -> dict[str, Any]:
    if not rule.file:
        return {"artifactLocation": {"uri": uri(Path(audit) / "summary.json")}}
    region = {"region": {"startLine": rule.line}} if rule.line else {}
    return {"artifactLocation": {"uri": uri(rule.file)}, **region}


def _ids(rules: Sequence[str]) -> dict[str, str]:
    """Rule texts to ids: the text in one line; where it had to be changed, followed by a digest of the whole."""
    lines = {text: in_a_line(text, 200) for text in rules}
    return {text: line if line == text else f"{line} ({_digest(text)[:12]})" for text, line in lines.items()}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
