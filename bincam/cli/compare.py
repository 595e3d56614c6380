"""``bincam compare``: the differences between two models on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bincam.cli.reading.audit_folders import read_folder
from bincam.cli.reading.option_groups import LARGEST_SEED, RESULTS_PANEL
from bincam.cli.reading.options import parse_numbers
from bincam.errors import InputError

_COMPARISON, _RECORDED = "Comparison", "Recorded, without effect"

MOST_OUTPUTS = 20
"""Outputs that are compared one by one of which the terminal shows the paragraph."""


def compare(
    first: Annotated[
        Path,
        typer.Argument(
            parser=read_folder, metavar="FIRST", help="Audit of the first model, whose threshold is adjusted."
        ),
    ],
    second: Annotated[
        Path,
        typer.Argument(parser=read_folder, metavar="SECOND", help="Audit of the second model, on the same images."),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Folder for contrast.json and the difference maps.", rich_help_panel=RESULTS_PANEL
        ),
    ],
    moved: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOGIT|FOLDER",
            help="Adjusted threshold of the first model, tuned on validation images; or a model folder whose card "
            "contains such thresholds. May be repeated.",
            show_default="the card of the first model",
            rich_help_panel=_COMPARISON,
        ),
    ] = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Compare with the figures that the source paper reports for CelebA.",
            rich_help_panel=_COMPARISON,
        ),
    ] = False,
    resamples: Annotated[
        int,
        typer.Option(min=100, help="Recorded; no interval of a comparison is resampled.", rich_help_panel=_RECORDED),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Recorded, too.", rich_help_panel=_RECORDED)] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the contrast as JSON.", rich_help_panel=RESULTS_PANEL)
    ] = False,
    long: Annotated[
        bool,
        typer.Option(
            "--long", help="Also print the paragraph of every attribute and set.", rich_help_panel=RESULTS_PANEL
        ),
    ] = False,
) -> None:
    """Compare two audits image by image: errors, where the models look, and what an adjusted threshold explains."""
    import json

    from bincam.audit import open_audit
    from bincam.compare.contrast import FILE
    from bincam.compare.contrast import compare as contrast_of
    from bincam.compare.names import names_from
    from bincam.compare.sets.sentences import left_out
    from bincam.report.conclusions.reading import conclude
    from bincam.report.html.page import open_source
    from bincam.stats.formatting import counted

    audited, other = open_audit(first), open_audit(second)
    contrast = contrast_of(
        audited,
        other,
        out,
        moved=read_thresholds(moved, audited.attributes) if moved else None,
        moved_from=", ".join(moved or ()),
        published=published,
        resamples=resamples,
        seed=seed,
    )
    if as_json:
        typer.echo(json.dumps(contrast, ensure_ascii=False, allow_nan=False))
        return
    for note in contrast["notes"]:
        typer.echo(f"note: {note}", err=True)
    if all(one.summary and (one.summary.get("attributes") or one.summary.get("sets")) for one in (audited, other)):
        source = open_source(out)
        typer.echo("In plain words:")
        for statement in conclude(source.arms, source.contrast).verdict:
            typer.echo(f"- {statement.text}")
        typer.echo()
    if long:
        _paragraphs(contrast, out / FILE)
    typer.echo("Main findings:")
    for finding in contrast["findings"]:
        typer.echo(f"- {finding}")
    for family in contrast["families"]:
        if not family["tests"]:
            continue
        typer.echo(
            f"{family['name']}: {family['findings']} of {counted(family['size'], 'test')} significant at "
            f"{family['level']:g} "
            "after Holm's correction" + (f"; {family['undefined']} undefined" if family["undefined"] else "")
        )
    if published:
        paper = contrast["published"]
        typer.echo(
            f"Figures of the paper: {paper['same_direction']} differ in the same direction, "
            f"{paper['other_direction']} in the other, {paper['not_shown']} show no difference here, "
            f"and {paper['equal']} are equal in the paper."
            + (f" {paper['reason'][0].upper()}{paper['reason'][1:]}." if paper["reason"] else "")
        )
    for note in left_out(contrast, names_from(contrast)):
        typer.echo(f"note: {note}", err=True)
    for side in ("first", "second"):
        if contrast[f"only_in_{side}"]:
            typer.echo(f"only in the {side} audit: {', '.join(contrast[f'only_in_{side}'])}", err=True)
    if contrast["moved"]["fitted_on_audited"]:
        typer.echo("note: the card's thresholds were tuned on these same images, so they are optimistic", err=True)
    if contrast["moved"]["reason"] and contrast["attributes"]:
        typer.echo(f"note: {contrast['moved']['reason']}", err=True)
    typer.echo(str(out / FILE), err=True)


def _paragraphs(contrast: Mapping[str, Any], file: Path) -> None:
    """Print the paragraph of every attribute and set, and of the first outputs that are compared one by one."""
    from bincam.stats.formatting import counted

    single = list(contrast.get("outputs") or ())
    for name, sentences in contrast["sentences"].items():
        if name not in single[MOST_OUTPUTS:]:
            typer.echo(f"{name}. {' '.join(sentences)}\n")
    if len(single) > MOST_OUTPUTS:
        typer.echo(f"... and {counted(len(single) - MOST_OUTPUTS, 'more output')} in {file}\n")


def read_thresholds(typed: Sequence[str], attributes: Sequence[str]) -> dict[str, float]:
    """Read the thresholds of ``--moved``; later ones override those of earlier folders.

    Args:
        typed: ``NAME=LOGIT``, or model folders.
        attributes: The audited ones; of a card, only their thresholds are read.

    Raises:
        InputError: A text is neither a model folder nor ``NAME=LOGIT``, a name is given twice, or a card contains no
            threshold.
    """
    from bincam.models import read_card

    assignments = [text for text in typed if not Path(text).is_dir()]
    stated = parse_numbers("--moved", assignments, "a model folder, or NAME=LOGIT")
    one_each = iter(stated.items())
    thresholds: dict[str, float] = {}
    for text in typed:
        if not Path(text).is_dir():
            thresholds.update([next(one_each)])
            continue
        tuned = {name: value for name, value in read_card(text).tuned_thresholds.items() if name in attributes}
        if not tuned:
            raise InputError(f"--moved {text}: its card contains no tuned threshold of an audited attribute")
        thresholds |= tuned
    return thresholds
