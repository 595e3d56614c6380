"""``bincam gate``: rules that an audit passes or fails."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bincam.cli.reading.audit_folders import AuditFolder
from bincam.cli.reading.option_groups import RESULTS_PANEL
from bincam.storage import shown

_RULES = "Rules"


def gate(
    audit: AuditFolder,
    *,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="MEASURE<=NUMBER, or with <, > or >=; ATTRIBUTE.MEASURE and MEASURE@GROUP restrict it; "
            "gap(MEASURE, COLUMN)<=NUMBER compares groups of people. May be repeated.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file with a list 'rules:'.", rich_help_panel=_RULES)
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write the Markdown summary to this file.", rich_help_panel=RESULTS_PANEL
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML to this file.", rich_help_panel=RESULTS_PANEL)
    ] = None,
    sarif: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write SARIF 2.1.0 to this file, for code hosts that show it in a diff.",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = None,
    allow_insufficient: Annotated[
        bool,
        typer.Option(
            "--allow-insufficient", help="Let rules pass where the evidence is insufficient.", rich_help_panel=_RULES
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of Markdown.", rich_help_panel=RESULTS_PANEL)
    ] = False,
    allow_untested: Annotated[
        bool,
        typer.Option(
            "--allow-untested",
            help="Decide rules on maps whose method did not pass the randomisation test, too.",
            rich_help_panel=_RULES,
        ),
    ] = False,
) -> None:
    """Check an audit against rules: exit 0 if all pass, 1 if one fails, is undefined, or lacks evidence.

    A rule passes or fails if the whole confidence interval does; if the interval contains the bound, the group is
    small, or the maps did not pass the randomisation test, the evidence is insufficient.
    """
    import json

    from bincam.audit import open_audit
    from bincam.audit.gate.judgements import judge, passed
    from bincam.audit.gate.label_sets import LABEL_SET_MEASURES
    from bincam.audit.gate.output.sarif import sarif as sarif_json
    from bincam.audit.gate.output.text import counted
    from bincam.audit.gate.output.text import junit as junit_xml
    from bincam.audit.gate.output.text import markdown as table
    from bincam.audit.gate.rules import parse_rule, read_rules
    from bincam.errors import InputError
    from bincam.files import atomic
    from bincam.report.conclusions.gate_verdict import gate_verdict
    from bincam.studies.sets.stored import stored_sets

    opened = open_audit(audit)
    parsed = [parse_rule(text, opened) for text in rule or ()]
    parsed += read_rules(rules, opened) if rules else []
    if not parsed:
        raise InputError("no rules: give --rule 'minority_error<=0.2', or --rules FILE.yaml")
    summary = opened.summary
    if not summary or not (summary.get("attributes") or summary.get("sets")):
        raise InputError(f"{audit}: its summary contains no attributes; run the audit again")
    if any(one.measure in LABEL_SET_MEASURES for one in parsed):
        summary = {**summary, **stored_sets(opened)}
    judged = judge(summary, parsed, allow_untested=allow_untested)
    is_open = passed(judged, allow_insufficient=allow_insufficient)
    verdict = gate_verdict(judged, open_=is_open)
    text = table(judged, shown(audit), open_=is_open, lead=[statement.text for statement in verdict])
    for file, content in (
        (markdown, text),
        (junit, junit_xml(judged, shown(audit), allow_insufficient=allow_insufficient)),
        (sarif, sarif_json(judged, audit, allow_insufficient=allow_insufficient)),
    ):
        if file is not None:
            with atomic(file) as part:
                part.write_text(content, encoding="utf-8")
    if as_json:
        document = {
            "open": is_open,
            "counts": counted(judged),
            "verdict": [one.to_json() for one in verdict],
            "checks": [check.to_json() for check in judged],
        }
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(text, nl=False)
    if not is_open:
        raise typer.Exit(1)
