"""``bincam card``: say once what someone else's model is, check it, and get a folder that every command takes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli import source
from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    from bincam.models import AttributeClassifier, Card


def card(
    weights: Annotated[str, typer.Argument(help="A state dict: .safetensors or .pt; - for what the factory returns.")],
    *,
    out: Annotated[Path, typer.Option(help="The model's folder, to be made.")],
    timm: Annotated[str | None, typer.Option(help="timm name of the whole model.")] = None,
    factory: source.Factory = None,
    names: source.Names = None,
    head: source.HeadOption = None,
    output: source.Output = None,
    mean: source.Mean = None,
    std: source.Std = None,
    size: source.Size = None,
    fit: source.Fit = None,
    threshold_logit: source.ThresholdLogit = None,
    threshold_prob: source.ThresholdProb = None,
    train_counts: Annotated[
        list[str] | None,
        typer.Option(help="name=negatives:positives, or a .json or .csv file of them; may be repeated."),
    ] = None,
    loss: Annotated[str | None, typer.Option(help="Name of the training loss.")] = None,
    layer: Annotated[str | None, typer.Option(help="Resolve this layer instead of what is pooled.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that the folder holds.")] = False,
    unsafe_pickle: source.UnsafePickle = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Make a model's folder (card.json and weights.safetensors) of your own weights.

    What is stated is checked now: the weights must fit, a picture of noise must come out as stated, and the layer,
    the pooling and the head must be found.
    """
    from bincam.models import adopt, make_card, save

    if (out / "card.json").exists() and not overwrite:
        raise InputError(f"{out} already holds a model; choose another folder, or pass --overwrite")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file, not a folder")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: its parent folder {out.absolute().parent} does not exist")
    if weights == "-" and timm:
        raise InputError("- stands for the weights that a --factory returns; a timm name needs a file of weights")
    source.prepare()
    stated = source.Statement(timm, factory, names, head, output, mean, std, size, fit).card()
    counts = read_counts(train_counts or (), stated)
    limits = source.thresholds(stated, threshold_logit, threshold_prob)
    stated = make_card(**{**stated.model_dump(), "thresholds": limits, "train_counts": counts, "loss": loss})
    model = adopt(stated, None if weights == "-" else weights, unsafe_pickle=unsafe_pickle)
    found = examine(model, layer)
    save(model, out)
    found = {"folder": str(out), **found, "card": stated.model_dump(mode="json")}
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    height, width = stated.input_size
    typer.echo(
        f"{out}: {len(stated.attributes)} attributes, {found['parameters']:,} parameters, images of {height} x {width}"
    )
    typer.echo(f"pixels: mean {stated.mean}, std {stated.std}" + ("" if mean and std else " (timm's for this name)"))
    typer.echo(
        f"layer: {found['layer']}, grid of {found['grid'][0]} x {found['grid'][1]} cells, {found['pooling']} pooling"
    )
    typer.echo(f"kind: {found['kind']}: {found['reason']}")
    typer.echo(f"logits of one picture of noise: from {found['logits'][0]:.3g} to {found['logits'][1]:.3g}")
    if found["note"]:
        typer.echo(f"note: {found['note']}", err=True)


def examine(model: AttributeClassifier, layer: str | None = None) -> dict[str, Any]:
    """Put one picture of noise through the model, and say what was found.

    Raises:
        InputError: The output cannot be what the card says.
        UnsupportedError: Layer, pooling or head cannot be found.
    """
    import torch

    from bincam.cam import Explainer
    from bincam.models.heads import select_output

    explainer = Explainer(model, layer=layer)
    anatomy = explainer.anatomy(model.card.input_size)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(model.card.mean), *model.card.input_size, generator=generator)
    explanation = explainer(noise, "positive")
    logits = explanation.logits
    if not bool(torch.isfinite(logits).all()):
        raise InputError("the model answers a picture of noise with NaN or infinite logits; are its weights whole?")
    with torch.no_grad():
        raw = select_output(model.network(noise), model.card.output)
    within = model.card.head != "probabilities" and bool(((raw >= 0) & (raw <= 1)).all())
    return {
        "layer": anatomy.layer.name,
        "grid": list(explanation.maps.shape[-2:]),
        "pooling": anatomy.pooling,
        "kind": anatomy.kind,
        "reason": anatomy.reason,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "logits": [logits.min().item(), logits.max().item()],
        "note": (
            f"all outputs for noise lie in [0, 1]; if the model ends in a sigmoid, --head {model.card.head} is wrong "
            "and --head probabilities is right"
            if within
            else None
        ),
    }


def read_counts(given: Sequence[str], card: Card) -> dict[str, tuple[int, int]]:
    """Training counts of ``--train-counts``.

    Args:
        given: ``name=negatives:positives``, or files: JSON ``{"name": [negatives, positives]}``, or CSV with the
            columns attribute, negatives and positives.
        card: Knows the names.

    Returns:
        ``(negatives, positives)`` by name.

    Raises:
        InputError: A file cannot be read, a name is unknown or repeated, or a count is no whole number.
    """
    result: dict[str, tuple[int, int]] = {}
    for one in given:
        for where, name, pair in _count_file(Path(one)) if Path(one).is_file() else [_count_pair(one)]:
            if name not in card.attributes:
                raise InputError(f"{where}: unknown attribute {name!r}{nearest(name, card.attributes)}")
            if name in result:
                raise InputError(f"{where}: {name!r} is counted twice")
            try:
                negatives, positives = (int(str(value)) for value in pair)
            except ValueError:
                raise InputError(
                    f"{where}: {name}: expected two whole numbers, negatives and positives, got {pair}"
                ) from None
            result[name] = (negatives, positives)
    return result


def _count_pair(text: str) -> tuple[str, str, Sequence[Any]]:
    name, equals, pair = text.rpartition("=")
    if not equals:
        raise InputError(f"--train-counts {text}: neither a file nor name=negatives:positives")
    return "--train-counts", name, pair.split(":")


def _count_file(path: Path) -> list[tuple[str, str, Sequence[Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if path.suffix == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
        if not rows or not {"attribute", "negatives", "positives"} <= set(rows[0]):
            raise InputError(f"{path}: expected a header with attribute, negatives and positives")
        return [
            (f"{path}:{line}", str(row["attribute"]), (row["negatives"], row["positives"]))
            for line, row in enumerate(rows, start=2)
        ]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(value, dict) or not all(isinstance(pair, list) for pair in value.values()):
        raise InputError(f'{path}: expected {{"name": [negatives, positives], ...}}')
    return [(str(path), name, pair) for name, pair in value.items()]
