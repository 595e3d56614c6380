"""``bincam explain``: where the evidence for a decision is in an image, and how much of it has no place there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bincam.cli.explaining.explainer import LARGE, make_explainer
from bincam.cli.explaining.files import EXAMPLE, FILE, figure_paths, list_images, make_example
from bincam.cli.explaining.photographs import read_photographs, split_fit, tell_fit
from bincam.cli.explaining.questions import METHOD, read_boxes, read_sets, read_views, refuse_contradictions, tell_cost
from bincam.cli.explaining.reference import check_reference, read_reference
from bincam.cli.reading import source
from bincam.cli.reading.audit_folders import read_folder
from bincam.cli.reading.option_groups import (
    EXECUTION_PANEL,
    RESULTS_PANEL,
    SUBJECT_PANEL,
    Device,
    ModelOptions,
    ModelSource,
    ThresholdOptions,
    WeightsFile,
)
from bincam.cli.reading.options import expand_groups
from bincam.cli.reading.table_options import ReaderOptions
from bincam.display import counted
from bincam.errors import InputError
from bincam.references import MAP_REFERENCES
from bincam.report.explained.boxes import box_note
from bincam.report.explained.explanations import Run
from bincam.report.explained.prediction_grids import grid_summary
from bincam.report.explained.wording import summary

if TYPE_CHECKING:
    from bincam.cam.prediction_grid.grid import Reading

FACES_PANEL = "Models that read face crops"
_MAPS, _BESIDE = "Maps", "Boxes and label sets"


@expand_groups
def explain(
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="[IMAGES]...", help="Image files, or folders of images.")
    ] = None,
    *,
    model: ModelSource = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Attributes to explain, or sets with all their outputs; may be repeated. Quote a name that contains "
            "a comma.",
            show_default="all",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ] = None,
    side: Annotated[
        str,
        typer.Option(
            help="Answer to explain: predicted, positive or negative; any for methods without sides.",
            rich_help_panel=_MAPS,
        ),
    ] = "predicted",
    method: Annotated[
        str,
        typer.Option(
            help="CAM method: one of bincam's own, or a gradient-free one of pytorch-grad-cam.", rich_help_panel=_MAPS
        ),
    ] = METHOD,
    layer: Annotated[
        str | None,
        typer.Option(help="Module name, or pre_activation.", show_default="the pooled layer", rich_help_panel=_MAPS),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Explain of each set of outputs the N with the highest scores.",
            show_default=f"1 for sets of more than {LARGE}",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    versus: Annotated[
        str | None,
        typer.Option(
            metavar="OUTPUT|runner_up|mean|nothing",
            help="Against what outputs in sets are explained: one output, the best other, the mean of the set, or "
            "nothing (the raw CAM, which cannot be compared between outputs).",
            show_default="all others",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(
            metavar="|".join(MAP_REFERENCES),
            help="What maps are counted from: zero; midpoint or template, the mean evidence of other images; or the "
            "mean of all explained attributes.",
            rich_help_panel=_MAPS,
        ),
    ] = "zero",
    reference_from: Annotated[
        Path | None,
        typer.Option(
            parser=read_folder,
            metavar="FOLDER",
            help="With --reference midpoint or template, the audit that has fitted it.",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid", help="Draw what every cell of the grid says, in place of the maps.", rich_help_panel=_MAPS
        ),
    ] = False,
    grid_reading: Annotated[
        str | None,
        typer.Option(
            "--reading",
            metavar="frozen|pointwise",
            help="With --grid, of a norm after the pooling: with the image's statistics, or with those of each cell.",
            show_default="frozen where the head permits it",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            metavar="K|S:ROW:COLUMN,...",
            help="Explain the mean over K views of the whole image, centred ones first, or over views of your own; K "
            "forward passes per image.",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    boxes: Annotated[
        bool,
        typer.Option(
            "--boxes", help="Draw the box around what each map marks (τ = .2 of its maximum).", rich_help_panel=_BESIDE
        ),
    ] = False,
    true_box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=X0,Y0,X1,Y1",
            help="With --boxes, the true box of an attribute in pixels of the one image, ends exclusive; may be "
            "repeated for several attributes.",
            rich_help_panel=_BESIDE,
        ),
    ] = None,
    sets: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Print the label sets of each image too: an audit of this model with a study of sets, or the study.",
            rich_help_panel=_BESIDE,
        ),
    ] = None,
    sets_by: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="With --sets, the rule that makes them, such as class_conditional or average_k=1.5.",
            show_default="the study's first",
            rich_help_panel=_BESIDE,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figures and explanations.json.", rich_help_panel=RESULTS_PANEL)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the JSON document to stdout.", rich_help_panel=RESULTS_PANEL)
    ] = False,
    example: Annotated[
        bool,
        typer.Option(
            "--example",
            help="Train a small model on generated images, and explain four of them.",
            rich_help_panel=SUBJECT_PANEL,
        ),
    ] = False,
    device: Device = "cpu",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images per forward pass.", rich_help_panel=EXECUTION_PANEL)
    ] = 8,
    thresholds: ThresholdOptions,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Of a model that reads face crops: the data set that the images are of, with their landmarks.",
            rich_help_panel=FACES_PANEL,
        ),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Of a model that reads face crops: landmarks of the images, in the form of CelebA's "
            "list_landmarks_celeba.txt, or as .csv.",
            rich_help_panel=FACES_PANEL,
        ),
    ] = None,
    reading: ReaderOptions,
    weights: WeightsFile = None,
    options: ModelOptions,
) -> None:
    """Explain images: draw signed evidence maps, and write every number to one JSON file.

    Maps show evidence for the explained answer in logit units: red supports it, blue opposes it.
    """
    refuse_contradictions(
        side=side,
        method=method,
        layer=layer,
        grid=grid,
        reading=grid_reading,
        views=views,
        boxes=boxes,
        sets=sets,
        sets_by=sets_by,
    )
    named = check_reference(reference, reference_from, grid=grid)
    stored = None if sets is None else read_sets(sets, sets_by)
    if example:
        extra = [
            *(["--sets"] if sets else []),
            *options.stated(),
            *(["--model"] if model else []),
            *(["--weights"] if weights else []),
            *map(str, photos or []),
            *(["--data"] if data else []),
            *(["--landmarks"] if landmarks else []),
        ]
        if extra:
            raise InputError(f"--example makes its own model and images; leave out {', '.join(extra)}")
        out = out or EXAMPLE
        model, photos = make_example(out)
    files = list_images(photos or [])
    if out is None and not as_json:
        raise InputError("state where the figures go with --out FOLDER, or ask for --json alone")
    figures = figure_paths(files, out) if out else {}
    fit, options = split_fit(model, options)
    opened = source.open_source(model, weights, options, device=device)
    photographs = read_photographs(opened.card, files, data=data, landmarks=landmarks, reading=reading, fit=fit)
    limits = source.read_thresholds(opened.card, thresholds)
    plan = read_views(views, opened.card)
    if plan is not None:
        from bincam.inference.zoom.batches import check_request

        check_request(plan, opened.card, 1, True, photographs.value_range)
    asked_sets = None if stored is None else stored.check(opened, plan)
    if asked_sets is not None and fit is not None:
        raise InputError(f"--sets are of face crops, and --fit {fit} shows the model something else; leave out one")
    explainer = make_explainer(opened, attributes, method, layer, limits, batch_size, versus, top, cells=grid)
    if plan is not None:
        from bincam.cam.views.mean import refuse_views

        refuse_views(explainer.method, explainer.method_name, cells=False, further=False)
    against = read_reference(named, reference_from, opened, explainer)
    asked = cast("Reading | None", grid_reading)
    asked_boxes = read_boxes(true_box, len(files), explainer.selection.attributes, boxes=boxes, grid=grid)
    if grid:
        from bincam.cam.prediction_grid.cells import refuse_no_grid

        refuse_no_grid(explainer.anatomy(opened.card.input_size), asked)
    run = Run(explainer, photographs, side, batch_size, asked, asked_boxes, plan, against)
    tell_fit(photographs)
    if plan is not None:
        tell_cost(plan)
    run.explain(files)
    document = run.document(str(model or options.factory), figures)
    if asked_sets is not None:
        for image, entry in zip(
            document["images"], asked_sets.describe(photographs, opened, list(run.results), plan), strict=True
        ):
            image["sets"] = entry
    if out:
        from bincam.files import write_json
        from bincam.folder_lock import take

        with take(out, writes=("*.png", FILE)):
            run.draw(document)
            write_json(out / FILE, document)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    elif out:
        _print_summary(document, out)
    for failure in run.failures:
        typer.echo(f"bincam: {failure['error']}", err=True)
    if run.failures:
        raise typer.Exit(2)


def _print_summary(document: Mapping[str, Any], out: Path) -> None:
    """Print a line per image and attribute, and where the files are."""
    for image in document["images"]:
        typer.echo(f"{image['figure']}")
        if "sets" in image:
            from bincam.report.explained.sets import set_lines

            for line in set_lines(image["sets"], [entry["name"] for entry in image["attributes"]]):
                typer.echo(f"  {line}")
        if "grid" in image:
            for line in grid_summary(image["grid"]):
                typer.echo(f"  {line}")
            continue
        for number, entry in enumerate(image["attributes"][:12]):
            logit, answer, share = summary(entry)
            box = f"; {box_note(image['boxes'][number])}" if "boxes" in image else ""
            typer.echo(f"  {entry['name']}: {logit}; {answer}; {share}{box}")
        if len(image["attributes"]) > 12:
            typer.echo(f"  ... and {len(image['attributes']) - 12} more")
    count = len(document["images"])
    typer.echo(
        f"{count} of {counted(count + len(document['failures']), 'image')} explained; every number is in {out / FILE}"
    )
