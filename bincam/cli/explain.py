"""``bincam explain``: where the evidence for a decision is in an image, and how much of it has no place there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bincam.cli.reading import source
from bincam.cli.reading.option_groups import (
    EXECUTION_PANEL,
    Device,
    ModelOptions,
    ModelSource,
    ThresholdOptions,
    WeightsFile,
)
from bincam.cli.reading.options import expand_groups, parse_assignments, parse_attributes, parse_number, refuse_repeats
from bincam.data.regions.boxes import checked_boxes
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.files import names_in
from bincam.one_of import expand, set_of
from bincam.report.explained.boxes import AskedBoxes, box_note
from bincam.report.explained.explanations import Run, summary
from bincam.report.explained.prediction_grids import grid_summary

if TYPE_CHECKING:
    from bincam.cam import Explainer
    from bincam.cam.prediction_grid.grid import Reading
    from bincam.inference.zoom.plan import Plan
    from bincam.models import AttributeClassifier, Card
    from bincam.report.explained.sets import AskedSets

FILE = "explanations.json"
METHOD = "grad_cam"
READINGS = ("frozen", "pointwise")
SIDES = ("predicted", "positive", "negative", "any")
MAX_PANELS = 100
"""As many as one figure can hold and remain readable."""
LARGE = 20
"""Number of outputs of a set above which only the predicted one is explained by default."""
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
EXAMPLE = Path("reports/example")


@expand_groups
def explain(
    images: Annotated[list[Path] | None, typer.Argument(help="Image files, or folders of images.")] = None,
    *,
    model: ModelSource = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Attributes to explain, or sets with all their outputs; may be repeated. Quote a name that contains "
            "a comma.",
            show_default="all",
        ),
    ] = None,
    side: Annotated[
        str, typer.Option(help="Answer to explain: predicted, positive or negative; any for methods without sides.")
    ] = "predicted",
    method: Annotated[
        str, typer.Option(help="CAM method: one of bincam's own, or a gradient-free one of pytorch-grad-cam.")
    ] = METHOD,
    layer: Annotated[
        str | None, typer.Option(help="Module name, or pre_activation.", show_default="the pooled layer")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Explain of each set of outputs the N with the highest scores.",
            show_default=f"1 for sets of more than {LARGE}",
        ),
    ] = None,
    versus: Annotated[
        str | None,
        typer.Option(
            metavar="OUTPUT|runner_up|mean|nothing",
            help="Against what outputs in sets are explained: one output, the best other, the mean of the set, or "
            "nothing (the raw CAM, which cannot be compared between outputs).",
            show_default="all others",
        ),
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="Draw what every cell of the grid says, in place of the maps.")
    ] = False,
    reading: Annotated[
        str | None,
        typer.Option(
            metavar="frozen|pointwise",
            help="With --grid, of a norm after the pooling: with the image's statistics, or with those of each cell.",
            show_default="frozen where the head permits it",
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            metavar="K|S:ROW:COLUMN,...",
            help="Explain the mean over K views of the whole image, centred ones first, or over views of your own; K "
            "forward passes per image.",
        ),
    ] = None,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Draw the box around what each map marks (τ = .2 of its maximum).")
    ] = False,
    true_box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=X0,Y0,X1,Y1",
            help="With --boxes, the true box of an attribute in pixels of the one image, ends exclusive; may be "
            "repeated for several attributes.",
        ),
    ] = None,
    sets: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Print the label sets of each image too: an audit of this model with a study of sets, or the study.",
        ),
    ] = None,
    sets_by: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="With --sets, the rule that makes them, such as class_conditional or average_k=1.5.",
            show_default="the study's first",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures and explanations.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON document to stdout.")] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Train a small model on generated images, and explain four of them.")
    ] = False,
    device: Device = "cpu",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images per forward pass.", rich_help_panel=EXECUTION_PANEL)
    ] = 8,
    thresholds: ThresholdOptions,
    weights: WeightsFile = None,
    options: ModelOptions,
) -> None:
    """Explain images: draw signed evidence maps, and write every number to one JSON file.

    Maps show evidence for the explained answer in logit units: red supports it, blue opposes it.
    """
    if side not in SIDES:
        raise InputError(f"--side {side}{nearest(side, SIDES)}")
    if grid and (method != METHOD or layer is not None):
        asked_of_maps = f"--layer {layer}" if layer is not None else f"--method {method}"
        raise InputError(f"{asked_of_maps} is of maps and --grid draws none; leave out one of the two")
    if reading is not None and (not grid or reading not in READINGS):
        known = nearest(reading, READINGS) if grid else " is of prediction grids; add --grid"
        raise InputError(f"--reading {reading}{known}")
    if views is not None and (grid or boxes):
        what = "--grid: cells" if grid else "--boxes: boxes"
        raise InputError(f"--views is not combined with {what} are of the image as the model sees it; leave out one")
    if sets_by is not None and sets is None:
        raise InputError(f"--sets-by {sets_by} is a rule of a study; name the study with --sets")
    stored = None if sets is None else read_sets(sets, sets_by)
    if example:
        extra = [
            *(["--sets"] if sets else []),
            *options.stated(),
            *(["--model"] if model else []),
            *(["--weights"] if weights else []),
            *map(str, images or []),
        ]
        if extra:
            raise InputError(f"--example makes its own model and images; leave out {', '.join(extra)}")
        out = out or EXAMPLE
        model, images = _make_example(out)
    files = list_images(images or [])
    if out is None and not as_json:
        raise InputError("state where the figures go with --out FOLDER, or ask for --json alone")
    figures = figure_paths(files, out) if out else {}
    opened = source.open_source(model, weights, options, device=device)
    asked_sets = None if stored is None else stored.check(opened)
    limits = source.read_thresholds(opened.card, thresholds)
    plan = read_views(views, opened.card)
    explainer = make_explainer(opened, attributes, method, layer, limits, batch_size, versus, top, cells=grid)
    if plan is not None:
        from bincam.cam.views.mean import refuse_views

        refuse_views(explainer.method, explainer.method_name, cells=False, further=False)
    asked = cast("Reading | None", reading)
    asked_boxes = read_boxes(true_box, len(files), explainer.selection.attributes, boxes=boxes, grid=grid)
    if grid:
        from bincam.cam.prediction_grid.cells import refuse_no_grid

        refuse_no_grid(explainer.anatomy(opened.card.input_size), asked)
    run = Run(explainer, side, batch_size, asked, asked_boxes, plan)
    run.explain(files)
    document = run.document(str(model or options.factory), figures)
    if asked_sets is not None:
        for image, entry in zip(
            document["images"], asked_sets.describe(explainer, opened, list(run.results)), strict=True
        ):
            image["sets"] = entry
    if out:
        from bincam.files import write_json

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


def read_views(typed: str | None, card: Card) -> Plan | None:
    """Read ``--views``, and tell its cost; None without it.

    Raises:
        InputError: No views, more than there are, or a model of face crops, which no photograph alone can be.
    """
    if typed is None:
        return None
    from bincam.inference import chosen_plan
    from bincam.inference.zoom.selection import parse_views

    plan = chosen_plan(parse_views(typed), card.input_size)
    if card.fit == "face":
        raise InputError(
            "--views: the model reads faces cropped by their landmarks (fit 'face' in its card), and views are those "
            "of the crop; use Explainer.views_of(..., landmarks=), or bincam audit --views on a data set with landmarks"
        )
    typer.echo(
        f"bincam: {counted(len(plan), 'view')}, so {counted(len(plan), 'forward pass', 'forward passes')} per image",
        err=True,
    )
    return plan


def read_boxes(
    typed: Sequence[str] | None, images: int, attributes: Sequence[str], *, boxes: bool, grid: bool
) -> AskedBoxes | None:
    """Read what ``--boxes`` and ``--true-box`` ask for; None for no boxes.

    Raises:
        InputError: A true box without ``--boxes`` or of several images, of no explained attribute, or not four numbers.
    """
    if typed and not boxes:
        raise InputError("--true-box is compared with the boxes of maps; add --boxes")
    if not boxes:
        return None
    if grid:
        raise InputError("--boxes are of maps and --grid draws none; leave out one of the two")
    if typed and images > 1:
        raise InputError(f"--true-box is of one image, and {images} are explained; explain them one by one")
    true = {}
    for name, text in parse_assignments("--true-box", typed, "NAME=X0,Y0,X1,Y1").items():
        if name not in attributes:
            raise InputError(f"--true-box {name}={text}: no attribute that is explained{nearest(name, attributes)}")
        ends = [parse_number(f"--true-box {name}={text}", end) for end in text.split(",")]
        if len(ends) != 4:
            raise InputError(f"--true-box {name}={text}: expected four numbers x0,y0,x1,y1")
        true[name] = checked_boxes(ends, where=f"--true-box {name}")
    return AskedBoxes(true=true)


def read_sets(folder: Path, rule: str | None) -> AskedSets:
    """Read what ``--sets`` and ``--sets-by`` ask for.

    Raises:
        InputError: There is no finished study, or it has no such rule.
    """
    from bincam.report.explained.sets import AskedSets
    from bincam.studies.sets.stored import read_rules

    asked = AskedSets(read_rules(folder), rule)
    asked.rules.of(rule)
    return asked


def list_images(paths: Sequence[Path]) -> list[Path]:
    """List the files to explain: the given ones, with each folder replaced by its images in order of name.

    Raises:
        InputError: There is none, or a file occurs twice.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [file for name in names_in(path) if (file := path / name).suffix.lower() in SUFFIXES]
            inside = [file for file in inside if file.is_file()]
            if not inside:
                raise InputError(f"{path}: no images in this folder (looked for {', '.join(sorted(SUFFIXES))})")
            files += inside
        else:
            files.append(path)
    if not files:
        raise InputError("no images; name files or folders, or pass --example")
    for file in files:
        if files.count(file) > 1:
            raise InputError(f"{file} is given twice")
    return files


def figure_paths(files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """The path of each image's figure: the image's name with ``.png``, numbered where two images share a name.

    Raises:
        InputError: The folder's parent does not exist, the folder is a file, or a figure would overwrite an image.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file, not a folder")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: its parent folder {out.absolute().parent} does not exist")
    inputs = {file.resolve() for file in files}
    result: dict[Path, Path] = {}
    taken: set[str] = set()
    for file in files:
        name, number = file.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{file.stem}-{number}"
        taken.add(name.casefold())
        result[file] = out / f"{name}.png"
        if result[file].resolve() in inputs:
            raise InputError(f"--out {out}: the figure of {file} would overwrite an image; choose another folder")
    return result


def make_explainer(
    model: AttributeClassifier,
    attributes: Sequence[str] | None,
    method: str,
    layer: str | None,
    thresholds: dict[str, float],
    batch_size: int | None = None,
    versus: str | None = None,
    top: int | None = None,
    *,
    cells: bool = False,
) -> Explainer:
    """Make the explainer, so that every mistake in the request is reported before an image is read.

    Of a model with a set of more than ``LARGE`` outputs, only the predicted one is explained unless stated otherwise.

    Raises:
        InputError: An unknown attribute, method or layer, or more attributes than a figure holds.
        UnsupportedError: The model's structure cannot be determined.
    """
    from bincam.cam import Explainer

    sets, known = model.card.one_of, (*model.card.attributes, *model.card.one_of)
    named = parse_attributes(attributes, known)
    for name in named or ():
        if name not in known:
            raise InputError(f"unknown attribute {name!r}{nearest(name, known)}")
    chosen = None if named is None else expand(named, sets)
    refuse_repeats("--attributes", chosen or ())
    if chosen == list(model.card.attributes) and any(name in sets for name in named or ()):
        named = chosen = None  # the names of sets stand for all that there is
    if top is not None and (chosen or not sets):
        reason = "not with --attributes" if chosen else "and this model has no sets of outputs (--one-of)"
        raise InputError(f"--top {top} chooses the outputs with the highest scores of each set, {reason}")
    if chosen is None and any(len(members) > LARGE for members in sets.values()):
        top = top or 1
    if cells:  # a set has one panel
        count = len({set_of(name, sets) or name for name in chosen or model.card.attributes})
    else:
        count = len(chosen or model.card.attributes)
        if top is not None:
            count += sum(min(top, len(members)) - len(members) for members in sets.values())
    if count > MAX_PANELS:
        raise InputError(
            f"{count} attributes are more than the {MAX_PANELS} that a figure can hold; select some with --attributes, "
            "or, of a set, with --top 5"
        )
    explainer = Explainer(
        model,
        named,
        method=method,
        layer=layer,
        threshold=thresholds,
        batch_size=batch_size,
        versus=versus,
        top=top,
        cells=cells,
    )
    explainer.anatomy(model.card.input_size)
    return explainer


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


def _make_example(out: Path) -> tuple[str, list[Path]]:
    """Train the example's model and write its images, with progress on stderr."""
    from bincam import example
    from bincam.models import save
    from bincam.stats.formatting import percent

    out.parent.mkdir(parents=True, exist_ok=True)
    typer.echo(
        "Training a small network on generated images to detect a disc, a square and a cross. "
        "Crosses are rare in its training data.",
        err=True,
    )
    trained = example.train()
    save(trained.model, out / "model")
    for name, accuracy in trained.accuracy.items():
        negatives, positives = trained.model.card.train_counts[name]
        share = positives / (negatives + positives)
        typer.echo(f"  {name}: in {percent(share, 0)} of the training images; {accuracy}", err=True)
    files = example.write_images(out / "images")
    typer.echo(f"Model: {out / 'model'}, images: {out / 'images'}. Explaining them:", err=True)
    return str(out / "model"), files
