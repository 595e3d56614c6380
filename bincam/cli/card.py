"""``bincam card``: describe your own weights once, check them, and make a model folder that every command reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.cli.reading import source
from bincam.cli.reading.option_groups import ModelOptions, ThresholdOptions
from bincam.cli.reading.options import expand_groups, parse_assignments, refuse_repeats
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.files import regular

if TYPE_CHECKING:
    from torch import Tensor

    from bincam.models import AttributeClassifier, Card

OPTION = "--train-counts"


@expand_groups
def card(
    weights: Annotated[
        str, typer.Argument(help="A state dict, .safetensors or .pt; - for the weights that the factory returns.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Model folder to make.")],
    timm: Annotated[str | None, typer.Option(metavar="NAME", help="timm name of the architecture.")] = None,
    train_counts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NEG:POS|FILE",
            help="Training images per class: NAME=NEGATIVES:POSITIVES, or a .json or .csv file; may be repeated.",
        ),
    ] = None,
    loss: Annotated[str | None, typer.Option(help="Name of the training loss.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer to check the model at.", show_default="the pooled layer")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder contains.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    thresholds: ThresholdOptions,
    options: ModelOptions,
) -> None:
    """Make a model folder (card.json and weights.safetensors) from your own weights.

    The statements are checked at once: the weights must fit the architecture, the output for an image of noise must be
    what --head states, and layer, pooling and head must be found.
    """
    from bincam import models
    from bincam.stats.formatting import significant

    if (out / "card.json").exists() and not overwrite:
        raise InputError(f"{out} already contains a model; choose another folder, or pass --overwrite")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file, not a folder")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: its parent folder {out.absolute().parent} does not exist")
    if weights == "-" and timm:
        raise InputError("- stands for the weights that a --factory returns; a timm name needs a file of weights")
    source.prepare()
    stated = source.make_card(options, timm)
    counts = read_counts(train_counts or (), stated)
    limits = source.read_thresholds(stated, thresholds)
    stated = models.make_card(**{**stated.model_dump(), "thresholds": limits, "train_counts": counts, "loss": loss})
    model = models.adopt(stated, None if weights == "-" else weights, unsafe_pickle=options.unsafe_pickle)
    facts = examine(model, layer)
    models.save(model, out)
    if as_json:
        typer.echo(
            json.dumps({"folder": str(out), **facts, "card": stated.model_dump(mode="json")}, ensure_ascii=False)
        )
        return
    height, width = stated.input_size
    typer.echo(
        f"{out}: {counted(len(stated.attributes), 'attribute')}, {counted(facts['parameters'], 'parameter')}, images "
        f"of {height} x {width}"
    )
    from_timm = "" if options.mean and options.std else " (timm's for this name)"
    typer.echo(f"pixels: mean {stated.mean}, std {stated.std}{from_timm}")
    typer.echo(
        f"layer: {facts['layer']}, grid of {facts['grid'][0]} x {facts['grid'][1]} cells, {facts['pooling']} pooling"
    )
    typer.echo(f"kind: {facts['kind']}: {facts['reason']}")
    typer.echo(
        f"logits for images of noise: from {significant(facts['logits'][0], 3)} to {significant(facts['logits'][1], 3)}"
    )
    if facts["note"]:
        typer.echo(f"note: {facts['note']}", err=True)


def examine(model: AttributeClassifier, layer: str | None = None) -> dict[str, Any]:
    """Run the model on images of noise and report its layer, grid, pooling, kind and logits.

    Raises:
        InputError: The output cannot be what the card states.
        UnsupportedError: Layer, pooling or head cannot be found.
    """
    import torch

    from bincam.cam import Explainer
    from bincam.cam.model.borrowed_model import BorrowedModel
    from bincam.models.borrowing.one_image import RUN_ALONE
    from bincam.models.heads import select_output

    explainer = Explainer(model, layer=layer, batch_size=1)  # a dependence on the batch is noted, not refused
    anatomy = explainer.anatomy(model.card.input_size)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(model.card.mean), *model.card.input_size, generator=generator)
    explanation = explainer(noise, "positive")
    logits = explanation.logits
    if not bool(torch.isfinite(logits).all()):
        raise InputError("the logits for an image of noise are NaN or infinite; are the weights intact?")
    network = BorrowedModel(
        model.network, None, layer=None, head="logits", output=None, precision="fp32", channels_last=True
    )
    with network.running(noise) as (batch, casting), casting:
        raw = torch.cat(
            [select_output(network.module(image), model.card.output, model.card.head) for image in batch.split(1)]
        )
    notes = [note] if (note := other_head(raw, model.card)) else []
    if RUN_ALONE in anatomy.reason:
        notes.append(
            "the output for an image depends on the other images of its batch, so every command needs --batch-size 1"
        )
    return {
        "layer": anatomy.layer.name,
        "grid": list(explanation.maps.shape[-2:]),
        "pooling": anatomy.pooling,
        "kind": anatomy.kind,
        "reason": anatomy.reason,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "logits": [logits.min().item(), logits.max().item()],
        "note": "; ".join(notes) or None,
    }


def other_head(raw: Tensor, card: Card) -> str | None:
    """State which ``--head`` the values of a network's output suggest, if it is another one than the card's.

    The values for noise prove nothing, so this is a remark and not an error.

    Args:
        raw: The network's output for several images.
        card: The card.
    """
    if card.head == "probabilities" or raw.ndim < 2:
        return None
    if card.one_of:
        return _other_head_of_sets(raw, card)
    within, normalised = bool(((raw >= 0) & (raw <= 1)).all()), _sums_to_one(raw)
    logarithms = bool((raw <= 0).all()) and _sums_to_one(raw.exp())
    two = raw.shape[1:] == (2,) and len(card.attributes) == 2
    wrong = f"--head {card.head} is wrong and"
    if within and card.head == "two_logits" and not normalised:
        return (
            "all outputs for noise are in [0, 1], but pairs do not sum to 1; if each output ends in a sigmoid of its "
            f"own, {wrong} --head probabilities with a name for each is right"
        )
    if within and normalised and two:
        return (
            "the two outputs for noise are in [0, 1] and sum to 1; if the model ends in a softmax, they are one "
            f"attribute: {wrong} --head probabilities with one name, that of the second output, is right"
        )
    if within and normalised and raw.ndim == 2:
        return (
            "the outputs for noise are in [0, 1] and sum to 1; if the model ends in a softmax, exactly one of them is "
            f"true: {wrong} --head probabilities with --one-of all is right"
        )
    if within:
        last = "softmax" if normalised else "sigmoid"
        return (
            f"all outputs for noise are in [0, 1]; if the model ends in a {last}, {wrong} --head probabilities is right"
        )
    if logarithms and two:
        return (
            "the two outputs for noise are logarithms of numbers that sum to 1; if the model ends in a log-softmax, "
            f"they are one attribute: {wrong} --head two_logits with one name, that of the second output, is right"
        )
    if logarithms and card.head != "two_logits":
        return (
            "the outputs for noise are logarithms of numbers that sum to 1; if the model ends in a log-softmax, they "
            "are no logits, and exactly one of them is true: --one-of all states so"
        )
    return None


def _other_head_of_sets(raw: Tensor, card: Card) -> str | None:
    """As ``other_head``, of a card with sets, whose scores may be logarithms of probabilities."""
    for name, columns in card.set_columns.items():
        members = raw[:, list(columns)]
        if bool(((members >= 0) & (members <= 1)).all()) and _sums_to_one(members):
            return (
                f"the outputs of set {name!r} for noise are in [0, 1] and sum to 1; if the model ends in a softmax, "
                f"--head {card.head} is wrong and --head probabilities is right"
            )
    return None


def _sums_to_one(values: Tensor) -> bool:
    return values.shape[-1] > 1 and bool(((values.sum(-1) - 1).abs() <= 1e-3).all())


def read_counts(typed: Sequence[str], card: Card) -> dict[str, tuple[int, int]]:
    """Read the training counts of ``--train-counts``.

    Args:
        typed: ``NAME=NEGATIVES:POSITIVES``, or files: JSON ``{"name": [negatives, positives]}``, or CSV with the
            columns attribute, negatives and positives.
        card: Its attributes are the names that are accepted.

    Returns:
        ``(negatives, positives)`` by name.

    Raises:
        InputError: A file cannot be read, a name is unknown or given twice, or a count is not a whole number.
    """
    form = "a file, or NAME=NEGATIVES:POSITIVES"
    rows: list[tuple[str, str, Sequence[Any]]] = []
    for text in typed:
        if Path(text).is_file():
            rows += _count_file(Path(text))
        else:
            rows += [(OPTION, name, pair.split(":")) for name, pair in parse_assignments(OPTION, [text], form).items()]
    refuse_repeats(OPTION, (name for _, name, _ in rows))
    result: dict[str, tuple[int, int]] = {}
    for where, name, pair in rows:
        if name not in card.attributes:
            raise InputError(f"{where}: unknown attribute {name!r}{nearest(name, card.attributes)}")
        try:
            negatives, positives = (int(str(value)) for value in pair)
        except ValueError:
            negatives = positives = -1
        if min(negatives, positives) < 0:
            raise InputError(f"{where}: {name}: expected two whole numbers from 0, negatives and positives, got {pair}")
        result[name] = (negatives, positives)
    return result


def _count_file(path: Path) -> list[tuple[str, str, Sequence[Any]]]:
    """Read where each count is stated, its attribute, and the count itself."""
    try:
        text = regular(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if path.suffix == ".csv":
        try:
            rows = list(csv.DictReader(text.splitlines()))
        except csv.Error as error:
            raise InputError(f"{path}: cannot be read: {error}") from None
        if not rows or not {"attribute", "negatives", "positives"} <= set(rows[0]):
            raise InputError(f"{path}: expected a header with attribute, negatives and positives")
        return [
            (f"{path}:{line}", str(row["attribute"]), (row["negatives"], row["positives"]))
            for line, row in enumerate(rows, start=2)
        ]
    try:
        counts = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # of a number with thousands of digits, or of deep nesting
        raise InputError(f"{path}: not readable as JSON: {error or 'nested too deeply'}") from None
    if not isinstance(counts, dict) or not all(isinstance(pair, list) for pair in counts.values()):
        raise InputError(f'{path}: expected {{"name": [negatives, positives], ...}}')
    return [(str(path), name, pair) for name, pair in counts.items()]
