"""``bincam explain``: where in an image is the evidence for a decision, and how much of it has no place at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli import source
from bincam.errors import InputError, nearest
from bincam.report.explanations import Run, summary

if TYPE_CHECKING:
    from bincam.cam import Explainer
    from bincam.models import AttributeClassifier

FILE = "explanations.json"
SIDES = ("predicted", "positive", "negative", "any")
MOST = 100  # panels that a figure can hold and an eye can read
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
EXAMPLE = Path("reports/example")


def explain(
    images: Annotated[list[Path] | None, typer.Argument(help="Image files, or folders of them.")] = None,
    *,
    model: Annotated[str | None, typer.Option(help="A model's folder, or a timm name.")] = None,
    attributes: Annotated[list[str] | None, typer.Option(help="a,b,c or all; may be repeated. [default: all]")] = None,
    side: Annotated[str, typer.Option(help="predicted, positive or negative; any for methods that know no side.")] = (
        "predicted"
    ),
    method: Annotated[str, typer.Option(help="Native method, or a gradient-free one of grad-cam.")] = "grad_cam",
    layer: Annotated[str | None, typer.Option(help="Module name, or pre_activation. [default: what is pooled]")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for figures and explanations.json.")] = None,
    threshold_logit: source.ThresholdLogit = None,
    threshold_prob: source.ThresholdProb = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON to stdout.")] = False,
    example: Annotated[bool, typer.Option("--example", help="Train a small model, make images, explain them.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per forward pass.")] = 8,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    weights: source.Weights = None,
    factory: source.Factory = None,
    names: source.Names = None,
    head: source.HeadOption = None,
    output: source.Output = None,
    mean: source.Mean = None,
    std: source.Std = None,
    size: source.Size = None,
    fit: source.Fit = None,
    unsafe_pickle: source.UnsafePickle = False,
) -> None:
    """Explain images: a figure of signed evidence maps for each, and one JSON with every number.

    Maps show evidence for the explained side in logit units: red for it, blue against it.
    """
    said = source.Statement(None, factory, names, head, output, mean, std, size, fit)
    if side not in SIDES:
        raise InputError(f"--side {side}{nearest(side, SIDES)}")
    if example:
        extra = [
            *said.given(),
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
        raise InputError("say where the figures go with --out FOLDER (or ask for --json alone)")
    figures = figure_paths(files, out) if out else {}
    opened = source.open_source(model, weights, said, unsafe_pickle=unsafe_pickle, device=device)
    explainer = make_explainer(
        opened, attributes, method, layer, source.thresholds(opened.card, threshold_logit, threshold_prob)
    )
    run = Run(explainer, side, batch_size)
    run.explain(files)
    document = run.document(str(model or factory), figures)
    if out:
        from bincam.files import write_json

        run.draw(document)
        write_json(out / FILE, document)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    elif out:
        _tell(document, out)
    for failure in run.failures:
        typer.echo(f"bincam: {failure['error']}", err=True)
    if run.failures:
        raise typer.Exit(2)


def list_images(given: Sequence[Path]) -> list[Path]:
    """The files to explain: those given, and in the place of a folder all images in it, by name.

    Raises:
        InputError: There is none, or a file comes twice.
    """
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise InputError(f"{path}: no images in this folder (looked for {', '.join(sorted(SUFFIXES))})")
            files += inside
        else:
            files.append(path)
    if not files:
        raise InputError("no images; give files or folders, or --example")
    for file in files:
        if files.count(file) > 1:
            raise InputError(f"{file} is given twice")
    return files


def figure_paths(files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where each image's figure goes: its own name with ``.png``, numbered where two images share one.

    Raises:
        InputError: The folder's parent does not exist, it is a file, or a figure would overwrite an image.
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
) -> Explainer:
    """The explainer, with whatever is wrong about the question told before any image is read.

    Raises:
        InputError: An unknown attribute, method or layer, or more attributes than a figure holds.
        UnsupportedError: The model's structure cannot be told.
    """
    from bincam.cam import Explainer

    chosen = source.choose(model.card, attributes)
    count = len(chosen or model.card.attributes)
    if count > MOST:
        raise InputError(
            f"{count} attributes are more than the {MOST} a figure can hold; choose some with --attributes"
        )
    explainer = Explainer(model, chosen, method=method, layer=layer, threshold=thresholds)
    explainer.anatomy(model.card.input_size)
    return explainer


def _tell(document: Mapping[str, Any], out: Path) -> None:
    """A line per image and attribute, and where the files are."""
    for image in document["images"]:
        typer.echo(f"{image['figure']}")
        for entry in image["attributes"][:12]:
            logit, says, share = summary(entry)
            typer.echo(f"  {entry['name']}: {logit}; {says}; {share}")
        if len(image["attributes"]) > 12:
            typer.echo(f"  ... and {len(image['attributes']) - 12} more")
    count = len(document["images"])
    typer.echo(f"{count} of {count + len(document['failures'])} images explained; every number is in {out / FILE}")


def _make_example(out: Path) -> tuple[str, list[Path]]:
    """Train the example's model and draw its images, and say so; progress goes to stderr."""
    from bincam import example
    from bincam.models import save

    out.parent.mkdir(parents=True, exist_ok=True)
    typer.echo(
        "Training a small network on generated pictures: is there a disc, a square, a cross? "
        "Crosses are rare in what it learns from.",
        err=True,
    )
    trained = example.train()
    save(trained.model, out / "model")
    for name, accuracy in trained.accuracy.items():
        negatives, positives = trained.model.card.train_counts[name]
        share = positives / (negatives + positives)
        typer.echo(f"  {name}: in {share:.0%} of the training pictures; {accuracy}", err=True)
    files = example.write_images(out / "images")
    typer.echo(f"Model: {out / 'model'}, pictures: {out / 'images'}. Explaining them:", err=True)
    return str(out / "model"), files
