"""Options that several commands share, each written once: single ones, and groups for ``options.expand_groups``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from bincam.cli.reading.options import parse_assignments, parse_names, parse_number
from bincam.errors import InputError

LARGEST_SEED = 2**63 - 1
"""What numpy and torch take; a seed is not negative."""
SUBJECT_PANEL = "Model and images"
RESULTS_PANEL = "Results"
MODEL_PANEL = "Model without a card"
THRESHOLD_PANEL = "Decision thresholds"
EXECUTION_PANEL = "Execution"
SUMMARY_PANEL = "Groups, slices and stated rates"

ModelSource = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FOLDER|NAME",
        help="A model folder, or the name of a timm model.",
        rich_help_panel=SUBJECT_PANEL,
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="State dict of your own model: .safetensors or .pt (no pickled code is run).",
        rich_help_panel=MODEL_PANEL,
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="Torch device: cpu, cuda, cuda:1, ...", rich_help_panel=EXECUTION_PANEL)
]


@dataclass(frozen=True)
class ModelOptions:
    """Statements about a model that has no card, as typed; None where the user stated nothing.

    Attributes:
        factory: ``module:function``.
        names: Names of the outputs, separated by commas.
        head: Meaning of the outputs.
        output: Index or key; several, separated by commas, for a model with several heads.
        one_of: ``NAME=OUTPUT,OUTPUT,...`` each, or ``all``.
        mean: Numbers separated by commas.
        std: Numbers separated by commas.
        size: ``H,W``.
        fit: ``stretch``, ``crop`` or ``face``.
        unsafe_pickle: Allow the weights to run code while they are read.
    """

    factory: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="Function that returns the nn.Module. With a model folder: consent to call the one its card names.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None
    names: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Names of all outputs of the model, in order.", rich_help_panel=MODEL_PANEL
        ),
    ] = None
    head: Annotated[
        str | None,
        typer.Option(
            help="Meaning of the outputs: logits, two_logits, probabilities or margin.", rich_help_panel=MODEL_PANEL
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            metavar="INDEX|KEY,...",
            help="The output to use, where the model returns a tuple or a dict; several, in order, of several heads.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None
    one_of: Annotated[
        list[str] | None,
        typer.Option(
            "--one-of",
            metavar="NAME=OUTPUT,...|all",
            help="A set of outputs of which exactly one is true, as after a softmax; may be repeated.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Mean per channel of pixels scaled to 0 to 1, such as 0.485,0.456,0.406.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None
    std: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Standard deviation per channel, such as 0.229,0.224,0.225.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None
    size: Annotated[
        str | None, typer.Option(metavar="H,W", help="Input size in pixels.", rich_help_panel=MODEL_PANEL)
    ] = None
    fit: Annotated[
        str | None,
        typer.Option(
            help="How an image is brought to the input size: stretch, crop or face.",
            show_default="stretch",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None
    unsafe_pickle: Annotated[
        bool,
        typer.Option(
            "--unsafe-pickle",
            help="Allow the weights to run code while they are read. Only for files you trust.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = False

    def stated(self) -> list[str]:
        """The options that state something about the model, as typed."""
        names = (field.name for field in fields(self) if field.name != "unsafe_pickle")
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) not in (None, [])]


@dataclass(frozen=True)
class ThresholdOptions:
    """Decision thresholds by attribute, as typed.

    Attributes:
        threshold_logit: ``NAME=LOGIT`` each.
        threshold_prob: ``NAME=PROBABILITY`` each.
    """

    threshold_logit: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold-logit",
            "--threshold",
            metavar="NAME=LOGIT",
            help="Threshold in logit units; may be repeated.",
            rich_help_panel=THRESHOLD_PANEL,
        ),
    ] = None
    threshold_prob: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PROB", help="Threshold as a probability; may be repeated.", rich_help_panel=THRESHOLD_PANEL
        ),
    ] = None


@dataclass(frozen=True)
class SummaryOptions:
    """The options of a summary, as typed; None where the user stated nothing.

    Attributes:
        slice_by: Names separated by commas.
        specificity: Numbers separated by commas.
        sensitivity: Numbers separated by commas.
        prevalence: Numbers separated by commas, or ``NAME=NUMBER,...`` each.
        label_noise: ``NAME=SHARE`` or ``NAME=SHARE:SHARE`` each.
    """

    slice_by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Group columns, attributes or intersections ('sex*age') to slice by; '' for none.",
            show_default="the kept groups, Male and Young",
            rich_help_panel=SUMMARY_PANEL,
        ),
    ] = None
    specificity: Annotated[
        str | None,
        typer.Option(
            metavar="RATE,...",
            help="Estimate the sensitivity at these specificities; '' for none.",
            show_default="0.95",
            rich_help_panel=SUMMARY_PANEL,
        ),
    ] = None
    sensitivity: Annotated[
        str | None,
        typer.Option(
            metavar="RATE,...",
            help="Estimate the specificity at these sensitivities; '' for none.",
            show_default="0.95",
            rich_help_panel=SUMMARY_PANEL,
        ),
    ] = None
    prevalence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SHARE,...",
            help="Estimate predictive values at these prevalences, of all attributes or of NAME; NAME=SHARE may be "
            "repeated.",
            show_default="that of the audited images",
            rich_help_panel=SUMMARY_PANEL,
        ),
    ] = None

    label_noise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE[:SHARE]",
            help="Share of an attribute's labels that is wrong, or of its positive and of its negative labels, to also "
            "state error rates as they would be against correct labels; may be repeated.",
            rich_help_panel=SUMMARY_PANEL,
        ),
    ] = None

    def values(self) -> dict[str, Any]:
        """The options that were given, by the names of ``Settings`` and ``summarise``.

        Raises:
            InputError: An option is malformed.
        """
        result: dict[str, Any] = {}
        if self.slice_by is not None:
            result["slice_by"] = parse_names("--slice-by", self.slice_by, may_be_empty=True)
        for name in ("specificity", "sensitivity"):
            typed = getattr(self, name)
            if typed is not None:
                result[name] = _numbers(f"--{name}", typed)
        if self.prevalence:
            result["prevalence"] = self._prevalence(self.prevalence)
        if self.label_noise:
            result["label_noise"] = _label_noise(self.label_noise)
        return result

    @staticmethod
    def _prevalence(typed: list[str]) -> Any:
        if not any("=" in text for text in typed):
            return _numbers("--prevalence", ",".join(typed))
        if not all("=" in text for text in typed):
            raise InputError("--prevalence: give numbers for all attributes, or NAME=SHARE for some; not both")
        by_name = parse_assignments("--prevalence", typed, "NAME=SHARE")
        return {name: _numbers(f"--prevalence {name}", text) for name, text in by_name.items()}


def _numbers(option: str, typed: str) -> tuple[float, ...]:
    parts = [part.strip() for part in typed.split(",")] if typed.strip() else []
    return tuple(parse_number(f"{option} {part}".rstrip(), part) for part in parts)


def _label_noise(typed: list[str]) -> dict[str, tuple[float, float]]:
    """The shares of wrong labels that ``--label-noise`` states, among positive and among negative labels."""
    form = "NAME=SHARE or NAME=SHARE:SHARE, of positive and of negative labels"
    result: dict[str, tuple[float, float]] = {}
    for name, text in parse_assignments("--label-noise", typed, form).items():
        shares = [parse_number(f"--label-noise {name}={text}", part) for part in text.split(":")]
        if len(shares) > 2:
            raise InputError(f"--label-noise {name}={text}: expected {form}")
        result[name] = (shares[0], shares[-1])
    return result
