"""The settings of an audit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ConfigDict, InstanceOf, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from bincam.cam import Side
from bincam.cam.model.read_model import Precision
from bincam.cam.requests.targets import SIDES
from bincam.data import Regions
from bincam.data.dataset import OnError
from bincam.errors import InputError, nearest
from bincam.models.trunk.trunk import TRUNKS, TrunkKind
from bincam.references import MAP_REFERENCES, MapReference
from bincam.stats.rates.operating_point import checked_rates

RegionsChoice = InstanceOf[Regions] | Literal["auto"] | None
SEEDS = 2**63
"""Seeds are below this, which torch and numpy take."""
MOST_WORKERS = 1024
_NUMBERS = (
    *("threshold", "boxes_sample", "one_of_rows", "limit", "sample", "gate_images", "reference_limit", "seed"),
    *("batch_size", "shard_images", "workers"),
)
BATCH_SIZE = {"cpu": 8, "cuda": 64}
"""Images per forward pass by default. More than 8 are slower on a CPU: activations beyond about 32 MiB are returned to
the operating system after every layer, and allocated anew."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    """The settings of an audit, checked when they are made.

    Settings cannot be changed; ``replace`` makes changed ones.

    Attributes:
        split: Split of the data; None audits every image.
        attributes: Attributes to audit; None for all that model and data share.
        methods: Specs, ``NAME`` or ``NAME@LAYER``; the first is the primary method.
        side: The class that is explained.
        views: Audit the mean over views of each image, at as many forward passes: the first k of
            ``bincam.inference.centred_first``, or views ``(S, row, column)``, such as ``choose_views`` has chosen on
            the reference split. None for the images as the model sees them.
        threshold: In logit units, by attribute; the card's, else 0, for the others.
        regions: Where evidence is expected. ``auto``: the published cells for a model of face crops, else the ORL
            regions for the ORL photographs, else face regions if the data has landmarks, else none.
        object_masks: Folder of object masks, or a format's file of them; ``auto`` takes the data's own
            ``masks/parts``; None for none.
        influence_masks: Folder of influence masks; ``auto`` takes ``masks/influence``.
        boxes: Measure if maps box the object, where the data has boxes or masks of objects (docs/boxes.md).
        boxes_sample: With ``boxes``, images of each attribute that are measured at most, a draw; 0 for all.
        groups: Group columns of the data to keep for slicing; None keeps all.
        label_noise: Attribute to the shares of wrong labels among its positive and among its negative labels, for error
            rates as they would be against correct labels.
        slice_by: Group columns, attributes, or intersections (``sex*age``) to slice by; None takes the kept groups,
            Male and Young.
        specificity: Specificities at which the sensitivity is estimated.
        sensitivity: Sensitivities at which the specificity is estimated.
        prevalence: Prevalences at which predictive values are estimated: a number or several for all attributes, or by
            attribute. Those at the audited prevalence always are.
        one_of_rows: Sets of at most this many outputs have a row per image and output in the records; larger ones have
            one for the predicted and one for the true output. The raw scores of all outputs are kept in both cases.
        limit: Audit a stratified subset of this many images.
        sample: Number of images for deletion, insertion and ROAD, a stratified draw; about twenty forward passes for
            each image, attribute and method. 0 for none.
        grid: Measure the prediction grid of every image: what the head says of each cell, against the object's mask.
            Refused for a model without one. With ``sample``, also what the other cells say once the object is hidden.
        gate_images: Number of images for the model-parameter randomisation test; two passes for each image and method,
            one per random network. 0 for none; at least twenty for a verdict.
        reference_split: Split on which references are fitted; ``auto``: validation, else training; None fits none.
        reference_limit: Fit references on a stratified subset of at most this many images.
        map_reference: What all maps are counted from, and measured: ``zero``, ``midpoint`` or ``template`` of the
            reference split, or ``attribute_mean``, the mean of the audited attributes in the same image. The ledger
            keeps its own references.
        seed: Seed of all draws.
        batch_size: Images per forward pass; None for ``BATCH_SIZE`` of the device. With 1 every pass has one image,
            also those of additional measurements; a model needs this whose output for an image depends on its batch.
        shard_images: Images per file of records, rounded up to whole batches, so that a resumed audit has the same
            files.
        workers: Number of processes that read images; 0 reads in the process that runs the model.
        device: Where the model runs, such as ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.
        trunk: How the part of the network below the explained tensor runs: ``eager``, ``folded`` or ``compiled``, see
            ``bincam.Explainer``. Compiling takes up to half a minute, so it pays from some hundred images on.
        on_error: ``raise`` on an image that cannot be read, or ``skip`` and count it.

    Raises:
        InputError: A setting is unknown, or its value impossible; one line says which.

    Example:
        >>> from bincam.audit import Settings
        >>> settings = Settings(methods=("grad_cam", "hirescam"), limit=500)
        >>> settings.split, settings.side
        ('test', 'predicted')
        >>> settings.replace(side="positive").side
        'positive'
        >>> Settings(limit=0)
        Traceback (most recent call last):
        bincam.errors.InputError: limit=0: at least one image
    """

    split: str | None = "test"
    attributes: Sequence[str] | None = None
    methods: Sequence[str] = ("grad_cam",)
    side: Side = "predicted"
    views: int | Sequence[Sequence[int]] | None = None
    threshold: Mapping[str, float] = field(default_factory=dict)
    regions: RegionsChoice = "auto"
    object_masks: Path | Literal["auto"] | None = "auto"
    influence_masks: Path | Literal["auto"] | None = "auto"
    boxes: bool = False
    boxes_sample: int = 500
    groups: Sequence[str] | None = None
    slice_by: Sequence[str] | None = None
    label_noise: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    specificity: Sequence[float] = (0.95,)
    sensitivity: Sequence[float] = (0.95,)
    prevalence: float | Sequence[float] | Mapping[str, float | Sequence[float]] | None = None
    one_of_rows: int = 20
    limit: int | None = None
    sample: int = 0
    grid: bool = False
    gate_images: int = 64
    reference_split: str | None = "auto"
    reference_limit: int = 2048
    map_reference: MapReference = "zero"
    seed: int = 0
    batch_size: int | None = None
    shard_images: int = 256
    workers: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    trunk: TrunkKind = "folded"
    on_error: OnError = "raise"

    def replace(self, **changes: Any) -> Settings:
        """Make settings that differ in some fields.

        Args:
            changes: Fields with their new values.

        Raises:
            InputError: As for a new ``Settings``.
        """
        return replace(self, **changes)

    @field_validator("batch_size", "shard_images", "limit", "reference_limit")
    @classmethod
    def _at_least_one(cls, value: int | None, info: Any) -> int | None:
        if value is not None and value < 1:
            raise ValueError(f"{info.field_name}={value}: at least one image")
        return value

    @field_validator("views")
    @classmethod
    def _some_views(cls, value: Any, info: Any) -> Any:
        if isinstance(value, int) and value < 1:
            raise ValueError(f"{info.field_name}={value}: at least one view, or none=None")
        return value

    @field_validator("sample", "boxes_sample", "gate_images", "workers", "one_of_rows")
    @classmethod
    def _not_negative(cls, value: int, info: Any) -> int:
        if value < 0:
            raise ValueError(f"{info.field_name}={value} is negative; 0 is none")
        return value

    @field_validator(*_NUMBERS, mode="before")
    @classmethod
    def _numbers_alone(cls, value: Any, info: Any) -> Any:
        """Refuse True in place of a number, and of a threshold also text, which pydantic would read as one."""
        entries = value.items() if isinstance(value, Mapping) else [("", value)]
        for name, stated in entries:
            if isinstance(stated, bool) or (name and isinstance(stated, str)):
                raise ValueError(f"{info.field_name}{f' of {name}' if name else ''}: got {stated!r}, expected a number")
        return value

    @field_validator("seed")
    @classmethod
    def _seed_in_range(cls, value: int) -> int:
        if not 0 <= value < SEEDS:
            raise ValueError(f"seed={value}: a seed is a whole number from 0 to below 2**63")
        return value

    @field_validator("workers")
    @classmethod
    def _few_enough(cls, value: int) -> int:
        if value > MOST_WORKERS:
            raise ValueError(f"workers={value}: at most {MOST_WORKERS} processes read images")
        return value

    @field_validator("threshold")
    @classmethod
    def _finite(cls, values: Mapping[str, float]) -> Mapping[str, float]:
        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"threshold of {name!r}: {value} is no finite number, in logit units")
        return values

    @field_validator("label_noise")
    @classmethod
    def _shares(cls, stated: Mapping[str, tuple[float, float]]) -> Mapping[str, tuple[float, float]]:
        for name, shares in stated.items():
            if not all(0 <= share < 1 for share in shares):
                raise ValueError(f"label_noise of {name} is {shares}; shares of wrong labels are from 0 to below 1")
        return stated

    @field_validator("specificity", "sensitivity")
    @classmethod
    def _rates(cls, values: Sequence[float], info: Any) -> Sequence[float]:
        return checked_rates(values, str(info.field_name))

    @field_validator("prevalence")
    @classmethod
    def _prevalences(cls, stated: Any) -> Any:
        by_name = stated if isinstance(stated, Mapping) else {} if stated is None else {"": stated}
        for name, values in by_name.items():
            numbers = (values,) if isinstance(values, int | float) else values
            checked_rates(numbers, f"prevalence of {name}" if name else "prevalence")
        return stated

    @field_validator("side", mode="before")
    @classmethod
    def _known_side(cls, value: Any) -> Any:
        if value not in SIDES:
            raise ValueError(f"unknown side {value!r}{nearest(value, SIDES)}")
        return value

    @field_validator("map_reference", mode="before")
    @classmethod
    def _known_reference(cls, value: Any) -> Any:
        if value not in MAP_REFERENCES:
            raise ValueError(f"unknown map_reference {value!r}{nearest(str(value), MAP_REFERENCES)}")
        return value

    @field_validator("trunk", mode="before")
    @classmethod
    def _known_trunk(cls, value: Any) -> Any:
        if value not in TRUNKS:
            raise ValueError(f"unknown trunk {value!r}; expected {', '.join(TRUNKS)}{nearest(str(value), TRUNKS)}")
        return value

    @field_validator("device", mode="before")
    @classmethod
    def _device_name(cls, value: Any) -> Any:
        return str(value) if isinstance(value, torch.device) else value

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        try:
            kind = torch.device(value).type
        except RuntimeError as error:
            raise ValueError(f"device={value!r}: {str(error).splitlines()[0]}") from None
        if kind == "meta":
            raise ValueError(f"device={value!r}: its tensors have no values to measure")
        return value


def _reporting_in_a_line(make: Callable[..., None]) -> Callable[..., None]:
    """Wrap a constructor so that what is wrong is an ``InputError`` of one line."""

    @wraps(make)
    def checked(self: Settings, *values: Any, **named: Any) -> None:
        try:
            make(self, *values, **named)
        except ValidationError as error:
            raise InputError(_in_a_line(error)) from None

    return checked


Settings.__init__ = _reporting_in_a_line(Settings.__init__)  # type: ignore[method-assign]  # pydantic makes it


def _in_a_line(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    name = str(first["loc"][0])
    if first["type"] == "unexpected_keyword_argument":
        return f"unknown setting {name!r}{nearest(name, [one.name for one in fields(Settings)])}"
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    expected = "a list or tuple of names, not a single string"
    if first["type"] != "sequence_str":
        # A union reports a problem for each of its members.
        messages = dict.fromkeys(problem["msg"] for problem in problems if problem["loc"][0] == name)
        expected = " or ".join(message.removeprefix("Input should be ") for message in messages)
    return f"{name}: got {first['input']!r}, expected {expected}"
