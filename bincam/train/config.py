"""What a training run is made of, as a checked configuration, and how a file becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from bincam.errors import InputError, nearest
from bincam.files import dump_yaml, parse_yaml, read_yaml
from bincam.train.config_sections import (
    ArmConfig,
    DataConfig,
    EarlyStopping,
    Loss,
    LossConfig,
    Metric,
    ModelConfig,
    OptimizerConfig,
    Part,
    Precision,
    Resampling,
    ResamplingConfig,
    ScheduleConfig,
)

PAIR_FILE = "pair.json"
"""Beside the arms' folders."""


class TrainConfig(Part):
    """A training run."""

    data: DataConfig
    out: str = Field(min_length=1, description="the run's folder; of a pair: the folder above the arms'")
    model: ModelConfig = ModelConfig()
    loss: Loss = LossConfig()
    resampling: Resampling = ResamplingConfig()
    arms: dict[str, ArmConfig] = Field(
        default={
            "unbalanced": ArmConfig(loss=LossConfig(name="bce")),
            "balanced": ArmConfig(loss=LossConfig(name="moon_bce")),
        },
        description="of a pair: names and what each has of its own, loss or resampling, instead of the configuration's",
    )
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    epochs: int = Field(default=10, ge=1, description="passes over the training images")
    batch_size: int = Field(
        default=64, ge=1, description="images per optimiser step, over all processes and accumulated parts"
    )
    accumulate: int = Field(
        default=1, ge=1, description="parts that a process's share of a batch is computed in, to save memory"
    )
    clip_norm: float | None = Field(default=None, gt=0, description="largest norm of the gradient; null: not clipped")
    precision: Precision = Field(
        default="fp32", description="of the training step's arithmetic; validation is always fp32"
    )
    channels_last: bool = Field(default=True, description="memory format of images and convolutions")
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="decay per step of an average of the weights, which is then judged and kept",
    )
    early_stopping: EarlyStopping | None = None
    best: Metric = Field(default="balanced_error", description="chooses the epoch whose weights are kept as the model")
    test: bool = Field(default=True, description="judge the best epoch's model on the test split, where there is one")
    store_thresholds: bool = Field(
        default=False, description="decide by the thresholds tuned on validation; they are on the card in any case"
    )
    checkpoint_steps: int = Field(
        default=0, ge=0, description="also write the state every so many steps; 0: after epochs only"
    )
    tensorboard: bool | None = Field(
        default=None,
        description="write event files: null: where the package tensorboard is installed; true: it must be",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto takes a GPU where there is one")
    seed: int = Field(default=0, ge=0, lt=2**31, description="decides first weights, order, augmentation and dropout")

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} cannot be computed in {self.accumulate} equal parts")
        if self.schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs {self.schedule.warmup_epochs} leaves nothing of {self.epochs} epochs"
            )
        for name in self.arms:
            if name in {"", "..", PAIR_FILE} or Path(name).name != name:  # each arm has a folder of its own in this one
                raise ValueError(f"the arm {name!r} cannot be the name of a folder")
        return self

    def arm(self, name: str) -> TrainConfig:
        """The configuration of one arm's run, in its own folder."""
        own = self.arms[name]
        return self.model_copy(
            update={
                "out": str(Path(self.out) / name),
                "loss": own.loss or self.loss,
                "resampling": own.resampling or self.resampling,
            }
        )


def make_config(values: dict[str, Any], *, source: str = "config") -> TrainConfig:
    """A configuration, with what is wrong told in one line.

    Args:
        values: As in a file.
        source: What to call it in an error.

    Raises:
        InputError: A key is unknown (the nearest known is named), missing, or its value out of bounds.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{source}: {_first(error)}") from None


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a configuration file.

    Args:
        path: YAML.
        overrides: ``key=value`` with dotted keys, for example ``optimizer.lr=1e-4``; the value is read as YAML.

    Raises:
        InputError: The file is missing or not YAML, a key is unknown, or a value out of bounds.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(
            f"{path}: expected keys and values, got {'nothing' if values is None else type(values).__name__}"
        )
    for text in overrides:
        override(values, text)
    return make_config(values, source=str(path))


def override(values: dict[str, Any], text: str) -> None:
    """Put one ``key=value`` into a configuration's values, making the parts on the way.

    Raises:
        InputError: There is no ``=``, the value is not YAML, or the key goes through something that has no parts.
    """
    key, equals, written = text.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise InputError(f"--set {text}: expected key=value, for example optimizer.lr=1e-4")
    try:
        value = parse_yaml(written)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text}: the value is not YAML: {' '.join(str(error).split())}") from None
    default = TrainConfig.model_fields["arms"].default
    if path[0] == "arms" and len(path) > 1 and path[1] in default and "arms" not in values:  # the other arms stay
        values["arms"] = {name: arm.model_dump(mode="json", exclude_none=True) for name, arm in default.items()}
    part = values
    for at, name in enumerate(path[:-1]):
        inner = part.setdefault(name, {})
        if isinstance(inner, str) and name in {"loss", "resampling"}:  # the short form of a name alone
            inner = part[name] = {"name": inner}
        if not isinstance(inner, dict):
            raise InputError(f"--set {text}: {'.'.join(path[: at + 1])} is {inner!r} and has no parts")
        part = inner
    part[path[-1]] = value


def dump(config: TrainConfig) -> str:
    """The resolved configuration as YAML, every field with its value."""
    return dump_yaml(config.model_dump(mode="json"))


def part_of(annotation: Any) -> type[Part] | None:
    """The part of a configuration that a field's annotation stands for, bare or optional; None where it is no part."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    found = [part_of(inner) for inner in getattr(annotation, "__args__", ())]
    return next((part for part in found if part is not None), None)


def _first(error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    keys = [str(part) for part in first["loc"]]
    where = ".".join(keys)
    unknown = ""
    if first["type"] == "extra_forbidden":
        part: type[BaseModel] = TrainConfig
        for key in keys[:-1]:
            field = part.model_fields.get(key)
            part = (part_of(field.annotation) if field is not None else None) or part
        unknown = nearest(keys[-1], part.model_fields)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
    got = "" if unknown or first["type"] in {"missing", "value_error"} else f", got {first['input']!r}"
    return f"{where + ': ' if where else ''}{text}{unknown}{got}{more}"
