"""``bincam summarise``: the figures of an audit once more, at other rates or by other groups, without the model."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from bincam.cli.reading.audit_folders import AuditFolder
from bincam.cli.reading.option_groups import SummaryOptions
from bincam.cli.reading.options import expand_groups
from bincam.display import counted
from bincam.storage import shown


@expand_groups
def summarise(
    audit: AuditFolder,
    *,
    figures: SummaryOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")] = False,
) -> None:
    """Summarise an audit's records again, at other stated rates or by other groups, and write its summary.json.

    The records are read; neither the model nor the images are needed. Options that are not given are those of the
    audit. An audit that lacks nothing but its summary is finished by this command.
    """
    from bincam.audit import summarise as make_summary
    from bincam.audit.folder.reader import open_measured
    from bincam.audit.folder.writer import AuditWriter
    from bincam.folder_lock import take

    typed = figures.values()
    opened = open_measured(audit)
    manifest = opened.manifest
    of_audit: dict[str, Any] = {
        name: getattr(manifest, name)
        for name in ("slice_by", "specificity", "sensitivity", "prevalence", "label_noise")
    }
    chosen = {name: value for name, value in of_audit.items() if value is not None} | typed
    with take(audit, writes=["*.json"]):
        summary = make_summary(opened, **chosen)
        AuditWriter(audit, manifest).write_summary(summary)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False))
        return
    for note in summary.get("notes", []):
        typer.echo(note, err=True)
    for left_out in summary["slices_left_out"]:
        typer.echo(f"no slices: {left_out['reason']}", err=True)
    sets = "".join(
        f", {name} of {counted(len(entry['outputs']), 'output')}" for name, entry in summary.get("sets", {}).items()
    )
    typer.echo(
        f"{counted(summary['images'], 'image')}, {counted(len(summary['attributes']), 'attribute')}{sets}: "
        f"{shown(audit / 'summary.json')}"
    )
