"""``bincam report``: an audit or a contrast as one HTML page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from bincam.cli.reading.audit_folders import read_folder
from bincam.cli.reading.option_groups import RESULTS_PANEL
from bincam.errors import InputError
from bincam.files import check_ending
from bincam.storage import shown

_CONTENT = "Content"


def report(
    source: Annotated[
        Path,
        typer.Argument(
            parser=read_folder,
            metavar="SOURCE",
            help="Folder of an audit or a contrast, or an audit's address, such as s3://bucket/mine.",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="HTML file to write.",
            show_default="report.html in the folder",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also print the page to this PDF; requires an installed Chromium.",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write a model card in Markdown, with Hugging Face's metadata and figures as PNG beside it; of a "
            "contrast that of its second model.",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = None,
    assets: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for the images in full size, to which the page links.",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = None,
    hide_faces: Annotated[
        bool, typer.Option("--hide-faces", help="Show no recognisable faces.", rich_help_panel=_CONTENT)
    ] = False,
    tolerate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Error of a class that is tolerated: what is certain to be above it needs an action.",
            show_default="0.2",
            rich_help_panel=_CONTENT,
        ),
    ] = None,
    misses: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="Misses that the card of an attribute shows, the worst first.",
            rich_help_panel=_CONTENT,
        ),
    ] = 10,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the files written and the page's conclusions as JSON.",
            rich_help_panel=RESULTS_PANEL,
        ),
    ] = False,
) -> None:
    """Write the report of an audit or a contrast as one self-contained HTML file.

    The page loads nothing from elsewhere. Numbers, curves and maps come from the folder, photographs from the audited
    data; where the data is no longer available, the report states this and leaves the photographs out.
    """
    target = out or source / "report.html"
    if target.is_dir():
        raise InputError(f"--out {target} is a folder; name the HTML file, such as {target / 'report.html'}")
    check_ending(target, [".htm", ".html"])
    if pdf is not None:
        check_ending(pdf, [".pdf"])
    if tolerate is not None and not 0 < tolerate < 1:
        raise InputError(f"--tolerate {tolerate:g}: expected a share between 0 and 1, such as 0.1")
    if assets is not None and assets.is_file():
        raise InputError(f"--assets {assets} is a file, not a folder")
    if card is not None and (card.is_dir() or card.suffix.lower() != ".md"):
        raise InputError(f"--card {card}: expected a Markdown file, such as card.md")
    from bincam.progress import track
    from bincam.report import write_report
    from bincam.report.conclusions.actions import TOLERATED

    tolerated = TOLERATED if tolerate is None else tolerate
    write_report(
        source, target, hide_faces=hide_faces, assets=assets, pdf=pdf, tolerated=tolerated, misses=misses,
        track=lambda names: track(names, "report", unit="attributes"), workers=min(2, os.cpu_count() or 1),
    )  # fmt: skip
    if card is not None:
        from bincam.report.model_card.write import write_card

        write_card(source, card)
    if as_json:
        from bincam.report.conclusions.reading import conclude
        from bincam.report.html.page import open_source

        read = open_source(source)
        concluded = conclude(read.arms, read.contrast, tolerated=tolerated)
        written = {
            "conclusions": concluded.to_json(),
            "html": shown(target),
            "bytes": target.stat().st_size,
            "pdf": None if pdf is None else str(pdf),
            "card": None if card is None else str(card),
        }
        typer.echo(json.dumps(written, ensure_ascii=False))
        return
    from bincam.stats.formatting import number

    files = [file for file in (target, pdf, card) if file is not None]
    typer.echo("; ".join(f"{shown(file)}: {number(file.stat().st_size / 1e6, 1)} MB" for file in files))
