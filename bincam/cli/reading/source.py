"""The model that a command works on: opened from what the user typed, with its thresholds."""

from __future__ import annotations

import math
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.cli.reading.option_groups import ModelOptions, ThresholdOptions
from bincam.cli.reading.options import parse_names, parse_number, parse_numbers, parse_whole
from bincam.errors import InputError, nearest
from bincam.one_of import check_no_threshold, check_sets

if TYPE_CHECKING:
    from bincam.models import AttributeClassifier, Card


def make_card(options: ModelOptions, timm: str | None = None) -> Card:
    """Make the card of a model that has none.

    With a timm name, input size, mean and std default to timm's configuration of that name; with a factory they must
    be stated.

    Args:
        options: Statements about the model.
        timm: Name of the architecture, or None where the options name a factory.

    Raises:
        InputError: A statement is missing or impossible.
    """
    from bincam import models
    from bincam.models.classifier import timm_config

    if (timm is None) == (options.factory is None):
        raise InputError("state the architecture of the weights: either a timm name or --factory MODULE:FUNCTION")
    required = ["names", "head"] + (["size", "mean", "std"] if options.factory else [])
    missing = [f"--{name}" for name in required if getattr(options, name) is None]
    if missing:
        raise InputError(f"a model without a card needs {', '.join(missing)}: weights do not contain this information")
    config: Any = timm_config(timm) if timm else None
    size = _numbers("--size", options.size, 2) if options.size else list(config.input_size[1:])
    if any(value != int(value) for value in size):
        raise InputError(f"--size {options.size}: expected whole pixels, H,W")
    names = parse_names("--names", str(options.names))
    return models.make_card(
        attributes=tuple(names),
        architecture="timm" if timm else "factory",
        name=timm or options.factory,
        head=options.head,
        output=_output(options.output),
        one_of=read_sets(options.one_of or (), names),
        input_size=tuple(int(value) for value in size),
        mean=tuple(_numbers("--mean", options.mean) if options.mean else config.mean),
        std=tuple(_numbers("--std", options.std) if options.std else config.std),
        fit=options.fit or "stretch",
    )


def read_sets(typed: Sequence[str], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read the sets of outputs of which exactly one is true, from ``--one-of``.

    Args:
        typed: ``NAME=OUTPUT,OUTPUT,...`` each; ``all`` stands for one set, called ``class``, with all outputs.
        names: Names of all outputs.

    Raises:
        InputError: An entry is malformed, a name is unknown, or sets overlap.

    Example:
        >>> read_sets(["hair=dark,blond"], ["dark", "blond", "Male"])
        {'hair': ('dark', 'blond')}
        >>> read_sets(["all"], ["cat", "dog"])
        {'class': ('cat', 'dog')}
    """
    sets: dict[str, Sequence[str]] = {}
    for text in typed:
        name, _, members = (part.strip() for part in text.partition("="))
        if text.strip() == "all":
            name = "class"
        elif not name or not members:
            raise InputError(f"--one-of {text}: expected NAME=OUTPUT,OUTPUT,..., or all")
        if name in sets:
            raise InputError(f"--one-of: {name!r} is given twice")
        sets[name] = list(names) if text.strip() == "all" else parse_names(f"--one-of {name}", members, known=names)
    return check_sets(sets, names)


def _output(typed: str | None) -> str | int | tuple[str | int, ...] | None:
    """The index or key that ``--output`` states, or several."""
    if typed is None:
        return None
    numbers = [(entry, parse_whole(entry)) for entry in parse_names("--output", typed)]
    entries = tuple(entry if number is None else number for entry, number in numbers)
    return entries[0] if len(entries) == 1 else entries


def open_source(
    model: str | None, weights: Path | None, options: ModelOptions, *, device: str = "cpu"
) -> AttributeClassifier:
    """Open the model that the user named.

    Args:
        model: A model folder or a timm name.
        weights: State dict of a model without a card.
        options: Statements about that model.
        device: Device to move it to.

    Raises:
        InputError: The options name no model, two models, or contradict each other or the files.
    """
    prepare()
    import torch

    from bincam.models import adopt, load
    from bincam.models.open import open_model

    try:
        torch.zeros(1, device=device).item()  # which a device without values, such as meta, refuses
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {device}: {str(error).splitlines()[0]}") from None
    stated = options.stated()
    if model is None and options.factory is None:
        raise InputError("state which model: --model FOLDER, --model TIMM-NAME, or --factory MODULE:FUNCTION")
    if model is not None and Path(model).is_dir():
        extra = [option for option in stated if option != "--factory"] + (["--weights"] if weights else [])
        if extra:
            raise InputError(f"the card in {model} describes the model; leave out {', '.join(extra)}")
        return load(model, device, factory=options.factory)
    if model is not None and options.factory is not None:
        raise InputError("--model and --factory name two models; give only one of them")
    if model is not None and Path(model).is_file():
        raise InputError(
            f"{model} is a file; pass it as --weights {model} with --model TIMM-NAME or --factory, or turn it into a "
            "model folder with 'bincam card'"
        )
    if model is not None and (os.sep in model or model.startswith(".")):
        raise InputError(f"{model}: no such folder")
    if model is None or weights is not None:
        return adopt(make_card(options, model), weights, unsafe_pickle=options.unsafe_pickle).to(device)
    if stated:
        raise InputError(f"{', '.join(stated)} describe your own weights, but --weights FILE is missing")
    return open_model(model).to(device)


def prepare() -> None:
    """Make the user's modules importable, and spare an offline user a minute of retries.

    Where the host name of the model hub cannot be resolved, only its cache on disk is used.
    """
    import logging

    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # where a factory's module usually is; last, so that it hides nothing
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    proxies = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "HF_ENDPOINT", "HF_HUB_OFFLINE")
    if any(os.environ.get(name) for name in proxies):
        return
    try:
        socket.getaddrinfo("huggingface.co", 443)
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, which is later


def read_thresholds(card: Card, options: ThresholdOptions) -> dict[str, float]:
    """Read decision thresholds, in logit units, from both ways to state them.

    Args:
        card: Of the model; its head determines the logit of a probability.
        options: As typed.

    Raises:
        InputError: A name is unknown or given twice, or a value is out of range.
    """
    logits = parse_numbers("--threshold-logit", options.threshold_logit, "NAME=LOGIT")
    probabilities = parse_numbers("--threshold-prob", options.threshold_prob, "NAME=PROBABILITY")
    for option, values in (("--threshold-logit", logits), ("--threshold-prob", probabilities)):
        check_no_threshold((name for name in values if name in card.one_of), card.one_of, option)
        for name in values:
            if name not in card.attributes:
                raise InputError(f"{option}: unknown attribute {name!r}{nearest(name, card.attributes)}")
    for name, value in probabilities.items():
        if name in logits:
            raise InputError(f"{name!r} has two thresholds, one as a logit and one as a probability")
        if not 0 < value < 1:
            raise InputError(f"--threshold-prob {name}={value:g}: a probability is between 0 and 1")
        logits[name] = 2 * value - 1 if card.head == "margin" else math.log(value / (1 - value))
    return logits


def _numbers(option: str, text: str, count: int | None = None) -> list[float]:
    """Numbers separated by commas."""
    expected = f"{option} {text}: expected {f'{count} ' if count else ''}finite numbers separated by commas"
    parts = text.split(",")
    if count and len(parts) != count:
        raise InputError(expected)
    try:
        return [parse_number(option, part) for part in parts]
    except InputError:
        raise InputError(expected) from None
