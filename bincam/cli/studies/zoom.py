"""``bincam zoom``: what a model says of each image at many scales and places, and what that is worth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bincam.cli.reading import source
from bincam.cli.reading.audit_folders import OptionalAuditFolder
from bincam.cli.reading.audited_source import open_audited_model, read_audited_data
from bincam.cli.reading.engine_options import EngineOptions
from bincam.cli.reading.option_groups import ModelOptions
from bincam.cli.reading.options import expand_groups, parse_attributes
from bincam.cli.reading.table_options import ReaderOptions
from bincam.cli.studies.at_test_time import TestTimeOptions, tell
from bincam.cli.studies.zoom_options import PassOptions, SubjectOptions, read_plan
from bincam.display import counted
from bincam.errors import InputError
from bincam.heap import keep_freed_memory
from bincam.storage import shown

if TYPE_CHECKING:
    from bincam.audit import Audit
    from bincam.engines import Engine
    from bincam.inference import Plan
    from bincam.studies.zoom import SeenViews, Subject

INTERRUPTED = 130
SHEET = "contact-sheet.png"


@expand_groups
def zoom(
    audit: OptionalAuditFolder = None,
    *,
    looking: PassOptions,
    hard: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write the images that no view gets right there, as a table, with what they were taken for. A "
            "finished study is read as it is.",
        ),
    ] = None,
    adapting: TestTimeOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")] = False,
    spread: EngineOptions,
    at: SubjectOptions,
    options: ModelOptions,
    reading: ReaderOptions,
) -> None:
    """Look at every image at many scales and places: how often would another framing have seen it?

    With an audit's folder, its model and data are found again, and the study is written to AUDIT/studies/zoom;
    otherwise name --model, --data and --out. The cost is images x views forward passes. docs/zoom.md explains the
    figures. After an interruption, run the same command with --resume.
    """
    from bincam.studies.zoom.seen import open_zoom

    keep_freed_memory(large=True)  # passes have 64 views
    folder = at.folder(audit)
    reading.reader_options()  # a mistyped list is told before a model is opened
    engine = spread.chosen()
    methods = adapting.methods
    opened = None if audit is None else _opened(audit)
    if "views" in methods:
        _check_reference(opened, at, reading)  # before the study, which takes long
    if (hard is not None or methods) and (folder / "summary.json").is_file():
        study = open_zoom(folder, audit=opened)
    else:
        study = _made(opened, looking, at, options, reading, engine)
    if hard is not None:
        told = _export(study, hard, opened, at.data, reading)
        typer.echo(told, err=as_json)
    compared = _test_time(study, opened, looking, adapting, at, options, reading) if methods else None
    if as_json:
        summary = study.summary if compared is None else study.summary | {"test_time": compared}
        typer.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False))
    elif compared is not None:
        tell(compared)
    elif hard is None:
        _tell(study)


def _check_reference(audit: Audit | None, at: SubjectOptions, reading: ReaderOptions) -> None:
    """Refuse to choose views where no images are left to choose them on."""
    from bincam.data import load
    from bincam.studies.at_test_time.study import reference_split

    if audit is not None:
        reference_split(read_audited_data(audit, at.data, reading), audit.manifest.data.split)
    elif at.data is not None:  # without data the study is refused
        reference_split(
            load(at.data, **reading.reader_options(at.data)), None if at.split == "all" else at.split or "test"
        )


def _test_time(
    study: SeenViews,
    audit: Audit | None,
    looking: PassOptions,
    adapting: TestTimeOptions,
    at: SubjectOptions,
    options: ModelOptions,
    reading: ReaderOptions,
) -> dict[str, Any]:
    """Compare methods at test time on the images of a finished study."""
    stated = study.study.settings
    drawn = replace(looking, limit=stated.get("limit"), seed=stated.get("seed") or looking.seed)
    subject = _subject(audit, drawn, at, options, reading)
    if audit is None:
        assert at.data is not None
        data = reading.load_for(at.data, subject.model.card)
    else:
        data = read_audited_data(audit, at.data, reading)
    given: dict[str, Any] = {"seed": looking.seed, "batch_size": looking.batch_size, "resume": looking.resume}
    try:
        return adapting.run(subject, data, study.plan, study.folder, **given)
    except KeyboardInterrupt:
        typer.echo("bincam: interrupted; the same command with --resume resumes the study", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _opened(audit: Path) -> Audit:
    from bincam.audit import open_audit

    return open_audit(audit)


def _made(
    audit: Audit | None,
    looking: PassOptions,
    at: SubjectOptions,
    options: ModelOptions,
    reading: ReaderOptions,
    engine: Engine | Literal["auto"] | None,
) -> SeenViews:
    """Make the study, or resume it."""
    from bincam.studies.zoom.view_pass import begin_zoom, carry_out, started

    subject = _subject(audit, looking, at, options, reading)
    for note in subject.notes:
        typer.echo(f"bincam: {note}", err=True)
    views = read_plan(looking.plan, subject.model.card.input_size)
    try:
        with started(subject, views, engine) as crew:
            study = begin_zoom(subject, views, at.out, resume=looking.resume, batch_size=looking.batch_size)
            if not study.finished:
                _tell_cost(subject, views)
            return carry_out(study, subject, views, batch_size=looking.batch_size, crew=crew)
    except KeyboardInterrupt:
        typer.echo("bincam: interrupted; the same command with --resume resumes the study", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _subject(
    audit: Audit | None, looking: PassOptions, at: SubjectOptions, options: ModelOptions, reading: ReaderOptions
) -> Subject:
    from bincam.studies.zoom.subject import Subject

    drawn: dict[str, Any] = {"limit": looking.limit, "seed": looking.seed}
    if audit is not None:
        model = open_audited_model(audit, at.model, at.weights, options, device=at.device)
        return Subject.of_audit(audit, model, read_audited_data(audit, at.data, reading), **drawn)
    if at.data is None:
        raise InputError("state which images: --data PATH, or the folder of an audit in place of --out")
    model = source.open_source(at.model, at.weights, options, device=at.device)
    names = parse_attributes(at.attributes, (*model.card.attributes, *model.card.one_of))
    split = None if at.split == "all" else at.split or "test"
    table = reading.load_for(at.data, model.card)
    return Subject.of_data(model, table, split=split, attributes=names, **drawn)


def _tell_cost(subject: Subject, plan: Plan) -> None:
    images, views, outputs = len(subject.table), len(plan), len(subject.table.names)
    size = images * views * (2.25 * outputs + len(subject.questions) / 8) / 1e6
    typer.echo(
        f"bincam: {counted(images, 'image')} × {counted(views, 'view')} = {images * views:,} forward passes; about "
        f"{max(size, 0.1):,.1f} MB",
        err=True,
    )
    if plan.coinciding:
        groups = ", ".join(" and ".join(map(str, group)) for group in plan.coinciding)
        typer.echo(
            f"bincam: at this input size some of the paper's scales are the same number of pixels and run once: "
            f"{groups}",
            err=True,
        )


def _export(study: SeenViews, hard: Path, audit: Audit | None, data: str | None, reading: ReaderOptions) -> str:
    """Write the hard set and its contact sheet, and say so in a line."""
    from bincam.folder_lock import take
    from bincam.report.figures.pictured.contact_sheet import write_contact_sheet
    from bincam.studies.zoom.hard_set import write_hard_set

    table = None
    if audit is not None:
        table = read_audited_data(audit, data, reading)
    elif data is not None:
        from bincam.data import load

        table = load(data, **reading.reader_options(data))
    root = Path(str(study.images["root"].iloc[0])) if table is None else table.root
    with take(hard, writes=("*.csv", "*.yaml", SHEET)):
        found = write_hard_set(study, hard, data=table)
        shown = write_contact_sheet(found, root, hard / SHEET)
    files = ", ".join(str(file) for file in (*found.files, hard / SHEET))
    return (
        f"{counted(len(found.rows), 'image')} of {found.images:,} that no view gets right ({shown} on the contact "
        f"sheet): {files}"
    )


def _tell(study: SeenViews) -> None:
    """Print the main figures, and what could not be told."""
    from bincam.stats.estimate import Estimate
    from bincam.stats.formatting import written

    summary = study.summary
    typer.echo(
        f"{counted(summary['images'], 'image')}, {counted(summary['plan']['views'], 'view')}, "
        f"{counted(len(summary['questions']), 'question')}: {shown(study.folder)}"
    )
    for name, entry in summary["questions"].items():
        oracle = entry["oracles"]
        parts = {
            "own crop": (entry["own_crop"], "percent"),
            "some view right": (oracle["right"], "percent"),
            "some view wrong": (oracle["wrong"], "percent"),
            "null": (oracle["null"], "percent"),
            "excess": (oracle["excess"], "points"),
        }
        figures = "; ".join(f"{word} {written(Estimate.from_json(one), kind)}" for word, (one, kind) in parts.items())  # type: ignore[arg-type]  # one of the literals
        typer.echo(f"{name}: {figures}")
    for name, count in summary["undefined_views"].items():
        typer.echo(
            f"{name}: {counted(count, 'view')} without an answer: neither right nor wrong, and counted", err=True
        )
