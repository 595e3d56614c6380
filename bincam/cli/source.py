"""Which model a command works on: options shared by the commands, and what becomes of them."""

from __future__ import annotations

import math
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    from bincam.models import AttributeClassifier, Card

Weights = Annotated[
    Path | None, typer.Option(help="State dict of a foreign model: .safetensors, or .pt without pickle.")
]
Names = Annotated[str | None, typer.Option(help="Names of all its outputs, in order: a,b,c.")]
HeadOption = Annotated[
    str | None, typer.Option("--head", help="What its outputs mean: logits, two_logits, probabilities or margin.")
]
Output = Annotated[str | None, typer.Option(help="Which output, where it returns a tuple or a dict: index or key.")]
Factory = Annotated[
    str | None,
    typer.Option(
        help="module:function that returns the nn.Module; with a folder, consent to call the one its card names."
    ),
]
UnsafePickle = Annotated[
    bool, typer.Option("--unsafe-pickle", help="Let --weights run code while it is read. Only for files you trust.")
]
Mean = Annotated[str | None, typer.Option(help="Per channel, of pixels in [0, 1]: 0.485,0.456,0.406.")]
Std = Annotated[str | None, typer.Option(help="Per channel, of pixels in [0, 1]: 0.229,0.224,0.225.")]
Size = Annotated[str | None, typer.Option(help="Input size in pixels: H,W.")]
Fit = Annotated[str | None, typer.Option(help="How an image meets that size: stretch (default), crop or face.")]
ThresholdLogit = Annotated[
    list[str] | None, typer.Option("--threshold-logit", "--threshold", help="name=value, in logit units.")
]
ThresholdProb = Annotated[list[str] | None, typer.Option("--threshold-prob", help="name=value, as a probability.")]


@dataclass(frozen=True)
class Statement:
    """What a user says about a model that has no card, each as it was typed; None where nothing was said.

    Attributes:
        timm: timm name of the whole model.
        factory: ``module:function``.
        names: Comma-separated.
        head: What the output means.
        output: Index or key.
        mean: Comma-separated.
        std: Comma-separated.
        size: ``H,W``.
        fit: ``stretch``, ``crop`` or ``face``.
    """

    timm: str | None = None
    factory: str | None = None
    names: str | None = None
    head: str | None = None
    output: str | None = None
    mean: str | None = None
    std: str | None = None
    size: str | None = None
    fit: str | None = None

    def given(self) -> list[str]:
        """The options that say something about the model, as typed."""
        fields = ("factory", "names", "head", "output", "mean", "std", "size", "fit")
        return [f"--{field}" for field in fields if getattr(self, field) is not None]

    def card(self) -> Card:
        """The card of such a model.

        For a timm name, what is not said of its pixels is taken from timm's configuration of that name; a factory has
        none, so all of it must be said.

        Raises:
            InputError: Something must be said and is not, or is impossible.
        """
        from bincam.models import make_card
        from bincam.models.classifier import timm_config

        if (self.timm is None) == (self.factory is None):
            raise InputError("say what the weights belong to: a timm name, or --factory module:function")
        needed = ["names", "head"] + (["size", "mean", "std"] if self.factory else [])
        missing = [f"--{field}" for field in needed if getattr(self, field) is None]
        if missing:
            raise InputError(
                f"a model without a card needs {', '.join(missing)}: it cannot be guessed from its weights"
            )
        config: Any = timm_config(self.timm) if self.timm else None
        size = _numbers("--size", self.size, 2) if self.size else list(config.input_size[1:])
        if any(value != int(value) for value in size):
            raise InputError(f"--size {self.size}: expected whole pixels, H,W")
        return make_card(
            attributes=tuple(name.strip() for name in str(self.names).split(",")),
            architecture="timm" if self.timm else "factory",
            name=self.timm or self.factory,
            head=self.head,
            output=int(self.output) if self.output and self.output.lstrip("-").isdigit() else self.output,
            input_size=tuple(int(value) for value in size),
            mean=tuple(_numbers("--mean", self.mean) if self.mean else config.mean),
            std=tuple(_numbers("--std", self.std) if self.std else config.std),
            fit=self.fit or "stretch",
        )


def open_source(
    model: str | None, weights: Path | None, said: Statement, *, unsafe_pickle: bool = False, device: str = "cpu"
) -> AttributeClassifier:
    """The model that a command was asked to work on.

    Args:
        model: A model's folder or a timm name.
        weights: A foreign state dict.
        said: About a model without a card.
        unsafe_pickle: Allow ``weights`` to run code.
        device: Where to put it.

    Raises:
        InputError: Nothing, too much or something contradictory was said, or the files do not agree with it.
    """
    prepare()
    import torch

    from bincam.models import adopt, load
    from bincam.models.open import open_model

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {device}: {str(error).splitlines()[0]}") from None
    if model is None and said.factory is None:
        raise InputError("say which model: --model FOLDER, --model TIMM-NAME, or --factory module:function")
    if model is not None and Path(model).is_dir():
        extra = [option for option in said.given() if option != "--factory"] + (["--weights"] if weights else [])
        if extra:
            raise InputError(f"the card in {model} states what the model is; leave out {', '.join(extra)}")
        return load(model, device, factory=said.factory)
    if model is not None and said.factory is not None:
        raise InputError("--model and --factory are two models; give one")
    if model is not None and Path(model).is_file():
        raise InputError(
            f"{model} is a file; give its weights as --weights {model} with --model TIMM-NAME or --factory, or make a "
            "model's folder of it with 'bincam card'"
        )
    if model is not None and (os.sep in model or model.startswith(".")):
        raise InputError(f"{model}: no such folder")
    if model is None or weights is not None:
        card = Statement(**{**vars(said), "timm": model}).card()
        return adopt(card, weights, unsafe_pickle=unsafe_pickle).to(device)
    if said.given():
        raise InputError(f"{', '.join(said.given())} describe weights of yours, but there is no --weights FILE")
    return open_model(model).to(device)


def prepare() -> None:
    """Make a user's module importable, and spare an offline user a minute of retries.

    Where the model hub's name cannot be resolved, only its cache on disk is asked.
    """
    import logging

    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # where a factory's module usually lies; last, so that it hides nothing
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    proxies = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "HF_ENDPOINT", "HF_HUB_OFFLINE")
    if any(os.environ.get(name) for name in proxies):
        return
    try:
        socket.getaddrinfo("huggingface.co", 443)
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, which is later


def _numbers(option: str, text: str, count: int | None = None) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(math.isfinite(value) for value in values) or (count and len(values) != count):
        raise InputError(f"{option} {text}: expected {count or 'finite'} numbers with commas between them")
    return values


def assignments(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """Take ``name=value`` apart at the last ``=``.

    Raises:
        InputError: There is none, or a name comes twice.
    """
    result: dict[str, str] = {}
    for one in given or ():
        name, equals, value = one.rpartition("=")
        if not equals or not name:
            raise InputError(f"{option} {one}: expected name=value")
        if name in result:
            raise InputError(f"{option}: {name!r} is given twice")
        result[name] = value
    return result


def thresholds(card: Card, logit: Sequence[str] | None, probability: Sequence[str] | None) -> dict[str, float]:
    """Decision thresholds in logit units, of those given either way.

    Args:
        card: Of the model; its head says what a probability stands for.
        logit: ``name=value``.
        probability: ``name=value`` in (0, 1).

    Raises:
        InputError: An unknown or repeated name, or a value out of range.
    """
    result: dict[str, float] = {}
    for option, given in (("--threshold-logit", logit), ("--threshold-prob", probability)):
        for name, text in assignments(option, given).items():
            if name not in card.attributes:
                raise InputError(f"{option}: unknown attribute {name!r}{nearest(name, card.attributes)}")
            if name in result:
                raise InputError(f"{name!r} has two thresholds, one as a logit and one as a probability")
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise InputError(f"{option} {name}={text}: expected a finite number")
            if option == "--threshold-prob":
                if not 0 < value < 1:
                    raise InputError(f"{option} {name}={text}: a probability lies between 0 and 1")
                value = 2 * value - 1 if card.head == "margin" else math.log(value / (1 - value))
            result[name] = value
    return result


def choose(card: Card, given: Sequence[str] | None) -> list[str] | None:
    """Attribute names of ``--attributes``, which may be repeated; None for all.

    A value that is itself a name is that name, even with commas in it; any other is a comma-separated list.

    Raises:
        InputError: An unknown or repeated name.
    """
    if not given or list(given) == ["all"]:
        return None
    wanted: list[str] = []
    for value in given:
        parts = [value] if value in card.attributes else [part.strip() for part in value.split(",")]
        for name in parts:
            if name not in card.attributes:
                raise InputError(f"unknown attribute {name!r}{nearest(name, card.attributes)}")
            if name in wanted:
                raise InputError(f"attribute {name!r} is selected twice")
            wanted.append(name)
    return wanted
