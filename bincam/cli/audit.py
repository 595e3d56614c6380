"""``bincam audit``: measure a model on a data set, image by image and attribute by attribute."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli.reading import source
from bincam.cli.reading.audit_folders import OutFolder
from bincam.cli.reading.engine_options import EngineOptions
from bincam.cli.reading.execution_options import ExecutionOptions
from bincam.cli.reading.option_groups import (
    RESULTS_PANEL,
    SUBJECT_PANEL,
    SUMMARY_PANEL,
    ModelOptions,
    ModelSource,
    SummaryOptions,
    ThresholdOptions,
    WeightsFile,
)
from bincam.cli.reading.options import expand_groups, parse_attributes, parse_names
from bincam.cli.reading.table_options import SETS_PANEL, ReaderOptions
from bincam.display import counted
from bincam.errors import BincamWarning
from bincam.references import MAP_REFERENCES
from bincam.storage import named, shown

if TYPE_CHECKING:
    from bincam.audit import Audit
    from bincam.data import AttributeTable

INTERRUPTED = 130
_MAPS, _MASKS = "Maps", "Regions and masks"
_EXTRA = "Additional measurements"


@expand_groups
def audit(
    *,
    model: ModelSource = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="A data set of a format that 'bincam data formats' lists, or orl.",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ],
    out: OutFolder,
    split: Annotated[
        str,
        typer.Option(
            help="Split to audit: train, validation or test; all for every image.", rich_help_panel=SUBJECT_PANEL
        ),
    ] = "test",
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Attributes to audit; the name of a set stands for its outputs. May be repeated. Quote a name that "
            "contains a comma.",
            show_default="all that model and data share",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ] = None,
    one_of_rows: Annotated[
        int,
        typer.Option(
            min=0,
            help="Sets with more outputs than this have records of the predicted and the true output alone.",
            rich_help_panel=SETS_PANEL,
        ),
    ] = 20,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Audit at most this many images: a stratified draw, in the order of the table.",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ] = None,
    execution: ExecutionOptions,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an interrupted audit.", rich_help_panel=RESULTS_PANEL)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON to stdout.", rich_help_panel=RESULTS_PANEL)
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME[@LAYER],...",
            help="CAM methods; the first is the primary one.",
            rich_help_panel=_MAPS,
        ),
    ] = "grad_cam",
    side: Annotated[
        str, typer.Option(help="Answer to explain: predicted, true, positive or negative.", rich_help_panel=_MAPS)
    ] = "predicted",
    views: Annotated[
        str | None,
        typer.Option(
            metavar="K|S:ROW:COLUMN,...",
            help="Audit the mean over K views of each whole image, centred ones first, or over views of your own; K "
            "times the cost.",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    reference_split: Annotated[
        str,
        typer.Option(
            help="Split on which the ledger's references are fitted, or none; auto takes validation, else train, and "
            "never the audited one.",
            show_default="auto",
            rich_help_panel=_MAPS,
        ),
    ] = "auto",
    reference_limit: Annotated[
        int, typer.Option(min=1, help="Fit the references on at most this many images.", rich_help_panel=_MAPS)
    ] = 2048,
    reference: Annotated[
        str,
        typer.Option(
            metavar="|".join(MAP_REFERENCES),
            help="What maps are counted from, and measured: zero; midpoint or template, fitted as the ledger's "
            "references; or the mean of all attributes of the image.",
            rich_help_panel=_MAPS,
        ),
    ] = "zero",
    regions: Annotated[
        str,
        typer.Option(
            help="Expected regions: published, face, orl, parts, influence, a YAML file, a folder or file of masks, or "
            "none. auto takes orl for orl, published for face crops, else face where there are landmarks, else none.",
            show_default="auto",
            rich_help_panel=_MASKS,
        ),
    ] = "auto",
    object_masks: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder of object masks, a file of them (COCO's or Label Studio's .json, CVAT's .xml, Open "
            "Images' list), or none; auto takes masks/parts of the data where it is there.",
            show_default="auto",
            rich_help_panel=_MASKS,
        ),
    ] = "auto",
    influence_masks: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder of influence masks, or none; auto takes masks/influence of the data where it is there.",
            show_default="auto",
            rich_help_panel=_MASKS,
        ),
    ] = "auto",
    boxes: Annotated[
        bool,
        typer.Option(
            "--boxes",
            help="Measure if maps box the object, where the data has boxes.parquet or masks of objects.",
            rich_help_panel=_EXTRA,
        ),
    ] = False,
    boxes_sample: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="With --boxes, measure at most N images of each attribute; 0 for all.",
            rich_help_panel=_EXTRA,
        ),
    ] = 500,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Group columns to keep; '' for none.",
            show_default="all of the data",
            rich_help_panel=SUMMARY_PANEL,
        ),
    ] = None,
    figures: SummaryOptions,
    thresholds: ThresholdOptions,
    sample: Annotated[
        int,
        typer.Option(
            min=0,
            help="Measure deletion, insertion and ROAD on this many images (slow); 0 for none.",
            rich_help_panel=_EXTRA,
        ),
    ] = 0,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid",
            help="Measure what the head says of every cell, on and off the object: docs/grid.md.",
            rich_help_panel=_EXTRA,
        ),
    ] = False,
    gate_images: Annotated[
        int,
        typer.Option(
            min=0,
            help="Run the model-parameter randomisation test on this many images; 0 for none.",
            rich_help_panel=_EXTRA,
        ),
    ] = 64,
    spread: EngineOptions,
    weights: WeightsFile = None,
    options: ModelOptions,
    reading: ReaderOptions,
) -> None:
    """Audit a model: measure, per image and attribute, where it looks and how much it decides without looking.

    docs/audit.md describes the files of an audit. After an interruption, run the same command with --resume.
    """
    from bincam.audit.folder.begun import check_free
    from bincam.audit.settings import Settings

    engine = spread.chosen(execution.workers)
    carried = execution.values(spread.count)
    check_free(out, resume=resume)
    from bincam.inference.zoom.selection import parse_views

    methods = parse_names("--method", method)
    kept = None if groups is None else parse_names("--groups", groups, may_be_empty=True)
    stated = figures.values()
    reading.reader_options()  # a mistyped list is told before a model is opened
    opened = source.open_source(model, weights, options, device=execution.device)
    with _notes_as_lines():
        table = reading.load_for(data, opened.card)
    values: dict[str, Any] = {
        "split": None if split == "all" else split,
        "attributes": parse_attributes(attributes, (*opened.card.attributes, *opened.card.one_of)),
        "methods": methods,
        "side": side,
        "views": None if views is None else parse_views(views),
        "threshold": source.read_thresholds(opened.card, thresholds),
        "regions": _regions(regions, data, table),
        "object_masks": _folder(object_masks),
        "influence_masks": _folder(influence_masks),
        "boxes": boxes,
        "boxes_sample": boxes_sample,
        "groups": kept,
        **stated,
        "one_of_rows": one_of_rows,
        "limit": limit,
        "sample": sample,
        "grid": grid,
        "gate_images": gate_images,
        "reference_split": None if reference_split == "none" else reference_split,
        "reference_limit": reference_limit,
        "map_reference": reference,
        **carried,
    }
    given: dict[str, Any] = {"resume": resume, "source": str(model or options.factory), "engine": engine}
    done = _run(opened, table, out, Settings(**values), **given)
    if as_json:
        typer.echo(json.dumps(done.summary, ensure_ascii=False, allow_nan=False))
    else:
        _tell(done)


def _run(opened: Any, table: Any, out: Path, settings: Any, **given: Any) -> Audit:
    from bincam.audit import run

    try:
        with _notes_as_lines():
            return run(opened, table, out, settings, **given)
    except KeyboardInterrupt:
        typer.echo(f"bincam: interrupted; the same command with --resume resumes {shown(out)}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _notes_as_lines() -> Iterator[None]:
    """Print the notes that an audit warns with as lines on stderr, whatever filters are set."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", BincamWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, BincamWarning):
                typer.echo(f"bincam: {named(str(message))}", err=True)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _regions(choice: str, data: str, table: AttributeTable) -> Any:
    """The regions that ``--regions`` names, as ``Settings`` takes them."""
    from bincam.data import load_regions

    return {"auto": "auto", "none": None}[choice] if choice in ("auto", "none") else load_regions(choice, data, table)


def _folder(choice: str) -> Path | str | None:
    return {"auto": "auto", "none": None}.get(choice, Path(choice))


def _measured(done: Audit) -> str:
    """The number of attributes, and of outputs of each set."""
    parts = [counted(len(done.manifest.yes_or_no), "attribute")] if done.manifest.yes_or_no or not done.one_of else []
    return ", ".join(
        [*parts, *(f"{name} of {counted(len(members), 'output')}" for name, members in done.one_of.items())]
    )


def _tell(done: Audit) -> None:
    """Print what was audited, what could not be measured, and where the files are."""
    unmeasured = done.unmeasured
    images = counted(done.manifest.data.images - unmeasured["skipped"], "image")
    typer.echo(f"{images}, {_measured(done)}, {', '.join(done.methods)}: {shown(done.folder)}")
    if unmeasured["skipped"]:
        first = done.images.loc[done.images["skipped"] != "", "skipped"].iloc[0]
        typer.echo(
            f"images that could not be read and were left out: {unmeasured['skipped']}; first: {first}", err=True
        )
    for name, count in unmeasured["nan_logits"].items():
        typer.echo(f"{name}: {counted(count, 'logit')} NaN or infinite: counted, and in no measure", err=True)
    for name, count in unmeasured.get("undefined_sets", {}).items():
        typer.echo(
            f"{name}: in {counted(count, 'image')} a score is NaN or infinite; the whole set is undefined there, "
            "and counted",
            err=True,
        )
    for method, counts in unmeasured["maps_beyond_half_precision"].items():
        for name, count in counts.items():
            typer.echo(
                f"{name}: {counted(count, f'{method} map')} beyond 65,504 logits; their stored maps contain NaN there",
                err=True,
            )
    for doubt in (done.summary or {}).get("doubts", []):
        typer.echo(f"{doubt['attribute']}: {doubt['text']}", err=True)
    for note in (done.summary or {}).get("notes", []):
        typer.echo(note, err=True)
    for left_out in (done.summary or {}).get("slices_left_out", []):
        typer.echo(f"no slices: {left_out['reason']}", err=True)
    for kind, counts in unmeasured["outside_the_crop"].items():
        for name, count in counts.items():
            typer.echo(f"{name}: in {counted(count, 'image')} the {kind} mask is outside the crop; NaN there", err=True)
    for column, counts in unmeasured.get("regions_below_a_cell", {}).items():
        for name, count in counts.items():
            typer.echo(
                f"{name}: in {counted(count, 'image')} less than one cell of the maps is inside or outside of the "
                f"region; {column} is NaN there",
                err=True,
            )
