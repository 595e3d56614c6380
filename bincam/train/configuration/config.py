"""The configuration of a training run: a validated model, read from YAML with overrides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from bincam.errors import InputError, nearest
from bincam.files import read_yaml
from bincam.train.configuration.precision import Precision, fastest_precision
from bincam.train.configuration.sections import (
    ArmConfig,
    DataConfig,
    EarlyStopping,
    Loss,
    LossConfig,
    Metric,
    ModelConfig,
    OptimizerConfig,
    Resampling,
    ResamplingConfig,
    ScheduleConfig,
    Section,
    SetLoss,
)
from bincam.yaml_text import dump_yaml, parse_yaml, yaml_problem

PAIR_FILE = "pair.json"
"""The file of a pair's proof, in the same folder as the arms' folders."""


class TrainConfig(Section):
    """The configuration of a training run; ``docs/train-config.md`` describes every key.

    Example:
        >>> config = TrainConfig(data={"source": "orl", "folds": 4}, loss="moon_bce", out="runs/orl")
        >>> config.loss.name, config.optimizer.lr, config.epochs
        ('moon_bce', 0.001, 10)
        >>> config.arm("balanced").out
        'runs/orl/balanced'
    """

    data: DataConfig
    out: str = Field(
        min_length=1, description="the run's folder; of a pair: the folder that contains the arms' folders"
    )
    model: ModelConfig = ModelConfig()
    loss: Loss = LossConfig()
    set_loss: SetLoss | None = Field(default=None, description="of sets of outputs; null: the one that belongs to loss")
    set_weights: dict[str, float] = Field(
        default={},
        description="weight of each set's mean loss, by the set's name; that of the attributes is 1; default 1",
    )
    resampling: Resampling = ResamplingConfig()
    arms: dict[str, ArmConfig] = Field(
        default={
            "unbalanced": ArmConfig(loss=LossConfig(name="bce")),
            "balanced": ArmConfig(loss=LossConfig(name="moon_bce")),
        },
        description="of a pair: the arms by name, each with its own loss or resampling in place of the configuration's",
    )
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    epochs: int = Field(default=10, ge=1, description="passes over the training images")
    batch_size: int = Field(
        default=64, ge=1, description="images per optimiser step, over all processes and accumulated parts"
    )
    accumulate: int = Field(
        default=1, ge=1, description="number of parts in which a process computes its share of a batch, to save memory"
    )
    clip_norm: float | None = Field(default=None, gt=0, description="maximum norm of the gradient; null: no clipping")
    precision: Precision = Field(
        default="fp32",
        description="of the training step; validation is always fp32; bf16 is slow on a CPU without bf16 instructions; "
        "auto stands for bf16 where the device has them, else for fp32, and the run states which",
    )
    channels_last: bool = Field(default=True, description="memory format of images and convolutions")
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="decay per step of an exponential moving average of the weights, which is then evaluated and kept",
    )
    early_stopping: EarlyStopping | None = None
    best: Metric = Field(default="balanced_error", description="selects the epoch whose weights are kept")
    test: bool = Field(default=True, description="evaluate the best epoch's model on the test split, if there is one")
    store_thresholds: bool = Field(
        default=False,
        description="use the thresholds tuned on validation for decisions; they are on the card in any case",
    )
    checkpoint_steps: int = Field(
        default=0,
        ge=0,
        description="also write the state every this many steps; 0: only after epochs",
    )
    tensorboard: bool | None = Field(
        default=None,
        description="write event files; null: if the package tensorboard is installed; true: fail if it is not",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto uses a GPU if there is one")
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="determines initial weights, order, augmentation and dropout"
    )

    @model_validator(mode="before")
    @classmethod
    def _choose_precision(cls, values: Any) -> Any:
        """Replace ``auto``, so that a run and its resumption have one precision, whichever machines they are on."""
        if isinstance(values, dict) and values.get("precision") == "auto":
            return values | {"precision": fastest_precision(str(values.get("device", "auto")))}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} cannot be computed in {self.accumulate} equal parts")
        if self.schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs {self.schedule.warmup_epochs} must be less than epochs {self.epochs}"
            )
        for name in self.arms:
            if name in {"", "..", PAIR_FILE} or Path(name).name != name:  # each arm has its own subfolder
                raise ValueError(f"the arm name {name!r} cannot be used as a folder name")
        return self

    @model_serializer(mode="wrap")
    def _serialised(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what concerns sets where nothing is stated, so that files are those of before there were sets."""
        values: dict[str, Any] = fields(self)
        return {
            name: value for name, value in values.items() if not (name in {"set_loss", "set_weights"} and not value)
        }

    def arm(self, name: str) -> TrainConfig:
        """Return the configuration of one arm's run, in its own folder."""
        own = self.arms[name]
        return self.model_copy(
            update={
                "out": str(Path(self.out) / name),
                "loss": own.loss or self.loss,
                "resampling": own.resampling or self.resampling,
                "set_loss": own.set_loss or (self.set_loss if own.loss is None else None),
            }
        )


def make_config(values: dict[str, Any], *, source: str = "config") -> TrainConfig:
    """Validate the values of a configuration; report the first mistake in one line.

    Args:
        values: As in a file.
        source: Name of the configuration in error messages.

    Raises:
        InputError: A key is unknown (the nearest is suggested) or missing, or a value is out of bounds.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{source}: {_describe_first(error)}") from None


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    r"""Read a configuration file.

    Args:
        path: YAML.
        overrides: ``key=value`` with dotted keys, for example ``optimizer.lr=1e-4``; the value is read as YAML.

    Raises:
        InputError: The file is missing or not YAML, a key is unknown, or a value is out of bounds.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "config.yaml")
        ...     _ = file.write_text("data: {source: orl, folds: 4}\nloss: moon_bce\nout: runs/orl\n")
        ...     config = read_config(file, ["optimizer.lr=1e-4"])
        >>> config.loss.name, config.optimizer.lr
        ('moon_bce', 0.0001)
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
    """Set one ``key=value`` in a configuration's values, creating sections as needed.

    Raises:
        InputError: There is no ``=``, the value is not YAML, or the key goes through a value that is no section.

    Example:
        >>> values = {"loss": "focal"}
        >>> override(values, "loss.options.gamma=3")
        >>> values
        {'loss': {'name': 'focal', 'options': {'gamma': 3}}}
    """
    key, equals, yaml_text = text.partition("=")
    path = [name.strip() for name in key.split(".")]
    if not equals or not all(path):
        raise InputError(f"--set {text}: expected key=value, for example optimizer.lr=1e-4")
    try:
        value = parse_yaml(yaml_text)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"--set {text}: the value is not YAML: {yaml_problem(error)[1]}") from None
    default = TrainConfig.model_fields["arms"].default
    if (
        path[0] == "arms" and len(path) > 1 and path[1] in default and "arms" not in values
    ):  # keep the other default arms
        values["arms"] = {name: arm.model_dump(mode="json", exclude_none=True) for name, arm in default.items()}
    section = values
    for depth, name in enumerate(path[:-1]):
        inner = section.setdefault(name, {})
        if isinstance(inner, str) and name in {"loss", "resampling", "set_loss"}:  # the short form of a name alone
            inner = section[name] = {"name": inner}
        if not isinstance(inner, dict):
            raise InputError(f"--set {text}: {'.'.join(path[: depth + 1])} is {inner!r}, which has no keys")
        section = inner
    section[path[-1]] = value


def dump(config: TrainConfig) -> str:
    """Write the resolved configuration as YAML, every field with its value."""
    return dump_yaml(config.model_dump(mode="json"))


def section_of(annotation: Any) -> type[Section] | None:
    """Return the section that a field's annotation stands for, bare or optional; None if it is not a section."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    sections = [section_of(inner) for inner in getattr(annotation, "__args__", ())]
    return next((section for section in sections if section is not None), None)


def _describe_first(error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    keys = [str(key) for key in first["loc"]]
    where = ".".join(keys)
    unknown = ""
    if first["type"] == "extra_forbidden":
        section: type[BaseModel] = TrainConfig
        for key in keys[:-1]:
            field = section.model_fields.get(key)
            section = (section_of(field.annotation) if field is not None else None) or section
        unknown = nearest(keys[-1], section.model_fields)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
    got = "" if unknown or first["type"] in {"missing", "value_error"} else f", got {first['input']!r}"
    return f"{where + ': ' if where else ''}{text}{unknown}{got}{more}"
