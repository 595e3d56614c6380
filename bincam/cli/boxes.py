"""``bincam boxes``: what an audited model marks, as COCO files for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bincam.cli.reading.audit_folders import AuditFolder
from bincam.cli.reading.options import parse_attributes
from bincam.errors import InputError
from bincam.stats.formatting import counted

OF = ("decided", "present")


def boxes(
    audit: AuditFolder,
    *,
    coco: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for coco.json (label tools) and coco-results.json (pycocotools)."),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Attributes to export; may be repeated.", show_default="all of the audit"
        ),
    ] = None,
    of: Annotated[
        str,
        typer.Option(metavar="decided|present", help="Images of which the model says yes, or the label does."),
    ] = "decided",
    level: Annotated[float, typer.Option(min=0.0, max=0.99, help="Threshold, as a share of each map's maximum.")] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the COCO document to stdout.")] = False,
) -> None:
    """Export the box and mask that each map marks, in pixels of the stored images.

    The scores of boxes are in the audit's summary (bincam audit --boxes); this needs the maps alone, so any audit has
    it, as long as its images are where they were.
    """
    from bincam.audit import open_audit
    from bincam.audit.marked_objects import Pairs, coco_of
    from bincam.folder_lock import take
    from bincam.metrics import write_coco

    if of not in OF:
        raise InputError(f"--of {of}: expected decided or present")
    if coco is None and not as_json:
        raise InputError("state where the files go with --coco FOLDER, or ask for --json alone")
    if coco is not None and coco.exists() and not coco.is_dir():
        raise InputError(f"--coco {coco} is a file, not a folder")
    opened = open_audit(audit)
    chosen = parse_attributes(attributes, opened.attributes)
    document: dict[str, Any] = coco_of(opened, chosen, pairs=cast("Pairs", of), level=level)
    if coco is not None:
        with take(coco, writes=("*.json",)):
            files = write_coco(coco, document)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    elif coco is not None:
        shown = sum("height" in image for image in document["images"])
        count = len(document["annotations"])
        typer.echo(
            f"{count:,} {'box' if count == 1 else 'boxes'} on {counted(shown, 'image')}: {', '.join(map(str, files))}"
        )
