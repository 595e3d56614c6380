"""A run's state file: everything needed to resume it exactly; written whole or not at all, and free of code."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from bincam.errors import BincamError, BincamWarning, InputError
from bincam.files import atomic
from bincam.models import read_weights
from bincam.train.configuration.config import TrainConfig, make_config
from bincam.train.configuration.sections import HIGHER_IS_BETTER
from bincam.train.runs import manifest as run_manifest
from bincam.train.steps.schedule import PlateauCounter, improved

KIND, SCHEMA = "bincam-train-state", 2
FILE = "state/state.pt"
FREE = ("epochs", "out", "checkpoint_steps", "tensorboard", "test", "device", "arms")
"""Fields in which the configuration of a run may differ from that of its state, besides ``data.source`` (the content is
compared instead), ``data.workers`` and ``data.memory``."""


@dataclass
class Position:
    """The position of a run.

    Attributes:
        epoch: Number of finished epochs.
        step: Number of optimiser steps taken in the current epoch.
        loss_sum: Sum of those steps' losses.
        pixel_sum: Checksum of those steps' images, see ``bincam.train.steps.batches.pixel_sum``.
        seconds: Time spent in those steps.
        best_epoch: Counted from 1; 0 before the first.
        best_value: The chosen metric at the best epoch; None if undefined.
        plateau: Counter of the schedule.
        stopping: Counter of early stopping.
        history: One record per epoch, the lines of ``metrics.jsonl``.
        ended: The reason why the run has ended; empty before that.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    pixel_sum: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_value: float | None = None
    plateau: PlateauCounter = field(default_factory=PlateauCounter)
    stopping: PlateauCounter = field(default_factory=PlateauCounter)
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""

    def count(self, record: dict[str, Any], config: TrainConfig) -> None:
        """Add a finished epoch; update the best epoch, the counters, and whether the run has ended.

        An epoch in which the loss was warming up leaves a part of the model untrained. It is the best only until one
        without follows, and no counter counts it.

        Args:
            record: Its line of ``metrics.jsonl``; ``warmup`` if the loss was warming up.
            config: Of the run.
        """

        def value(metric: str) -> float:
            mean = record["validation"]["mean"][metric]
            return math.nan if mean is None else float(mean)

        self.epoch += 1
        self.step, self.loss_sum, self.seconds = 0, 0.0, 0.0
        warming = record.get("warmup", False)
        if not warming and self.best_epoch and self.history[self.best_epoch - 1].get("warmup", False):
            self.best_epoch, self.best_value = 0, None
        self.history.append(record)
        if improved(value(config.best), self.best_value, higher=HIGHER_IS_BETTER[config.best]):
            self.best_epoch, self.best_value = self.epoch, value(config.best)
        elif self.best_epoch == 0:  # an undefined metric selects no epoch, but some model must be kept
            self.best_epoch = self.epoch
        schedule, stopping = config.schedule, config.early_stopping
        if schedule.name == "plateau" and not warming:
            higher = HIGHER_IS_BETTER[schedule.metric]
            self.plateau = self.plateau.after(value(schedule.metric), higher=higher, patience=schedule.patience)
        if stopping is not None and not warming:
            self.stopping = self.stopping.after(
                value(stopping.metric),
                higher=HIGHER_IS_BETTER[stopping.metric],
                patience=stopping.patience - 1,
                min_delta=stopping.min_delta,
            )
            if self.stopping.reductions:
                self.ended = "early stopping"
        if self.epoch >= config.epochs:
            self.ended = self.ended or "epochs"


@dataclass(frozen=True)
class State:
    """The content of a state file.

    Attributes:
        position: Of the run.
        tensors: State dicts by name: model, optimizer and, where used, ema and scaler.
    """

    position: Position
    tensors: dict[str, Any]


@dataclass(frozen=True)
class Identity:
    """The identity of a run: what must be unchanged for its state to be resumed.

    Attributes:
        config: Of the run.
        attributes: Outputs of the model.
        data: Digest of the data set and its splits.
        initial_weights: Digest of the initial weights. They follow from the configuration, but also from timm, torch
            and the files of pretrained weights, which may have changed when the run is resumed.
    """

    config: TrainConfig
    attributes: tuple[str, ...]
    data: str
    initial_weights: str


def write_state(folder: Path, run: Identity, state: State) -> None:
    """Write a run's state; if that fails, the previous state is kept.

    Raises:
        BincamError: The file cannot be written, for example because the disk is full.
    """
    identity = {
        "config": run.config.model_dump(mode="json"),
        "attributes": run.attributes,
        "data": run.data,
        "initial_weights": run.initial_weights,
    }
    text = json.dumps({**identity, **asdict(state.position)})
    with saving(folder), atomic(folder / FILE) as part:
        torch.save({"kind": KIND, "schema": SCHEMA, "run": text, **state.tensors}, part)


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Turn a failed write into an error that states what is left of the run.

    Raises:
        BincamError: A file could not be written.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch's writer raises RuntimeError on a full disk
        reason = str(error).splitlines()[0]
        if not isinstance(error, (OSError, SafetensorError)):  # torch reports a position in its file
            reason = f"is the disk full? torch reports: {reason}"
        kept = (
            "the previous state is kept: free some space and resume with --resume"
            if (folder / FILE).exists()
            else "no state has been written yet"
        )
        raise BincamError(f"{folder}: cannot be written: {reason}; {kept}") from None


def read_state(folder: Path, run: Identity) -> State | None:
    """Read a run's state; nothing in the file can execute code.

    Returns:
        The state, or None if there is no file.

    Raises:
        InputError: The file is damaged, or belongs to a run with another configuration, other attributes, other data or
            other initial weights.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        value = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # whatever is wrong, read_weights reports it
        read_weights(file)
        raise
    if not isinstance(value, dict) or value.get("kind") != KIND or value.get("schema") != SCHEMA:
        raise InputError(f"{file}: expected a {KIND} of schema {SCHEMA}; it cannot be resumed")
    stored = json.loads(value.pop("run"))
    stored_run = Identity(
        make_config(stored.pop("config"), source=str(file)),
        tuple(stored.pop("attributes")),
        stored.pop("data"),
        stored.pop("initial_weights"),
    )
    _compare(stored_run, run, file)
    _compare_lengths(stored_run.config, run.config, file)
    position = Position(**stored)
    position.plateau, position.stopping = PlateauCounter(**stored["plateau"]), PlateauCounter(**stored["stopping"])
    return State(position, {key: part for key, part in value.items() if key not in {"kind", "schema"}})


def _compare(stored: Identity, run: Identity, file: Path) -> None:
    if stored.attributes != run.attributes:
        pairs = enumerate(zip(stored.attributes, run.attributes, strict=False))
        first = next((i for i, (a, b) in pairs if a != b), None)
        difference = (
            f"{len(stored.attributes)} of them, not {len(run.attributes)}"
            if first is None
            else f"{stored.attributes[first]!r}, not {run.attributes[first]!r}"
        )
        raise InputError(
            f"{file}: belongs to a run with other attributes ({difference}); restore them, or choose another out"
        )
    old, new = _flat(stored.config.model_dump(mode="json")), _flat(run.config.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if key.split(".")[0] in FREE or key in {"data.source", "data.workers", "data.memory"}:
            continue
        if old.get(key) != new.get(key):
            raise InputError(
                f"{file}: belongs to a run with {key} {old.get(key)!r}, but now it is {new.get(key)!r}; "
                "restore it, or choose another out"
            )
    if stored.data != run.data:
        raise InputError(f"{file}: the data set has changed since (labels, splits or image names); choose another out")
    if stored.initial_weights != run.initial_weights:
        raise InputError(
            f"{file}: belongs to a run with initial weights {stored.initial_weights[:12]}..., but now they would be "
            f"{run.initial_weights[:12]}...: the pretrained weights, or the versions of timm or torch, have changed "
            f"since; restore them ({run_manifest.FILE} lists the versions), or choose another out"
        )


def _compare_lengths(stored: TrainConfig, config: TrainConfig, file: Path) -> None:
    """Warn if the finished epochs depend on the length of the run and the length has changed."""
    defers = config.loss.name == "ldam" and config.loss.options.get("defer", 0) < 1
    dependent = {"a cosine's learning rates": config.schedule.name == "cosine", "ldam's weights": defers}
    what = " and ".join(name for name, is_used in dependent.items() if is_used)
    if stored.epochs != config.epochs and what:
        warnings.warn(
            f"{file}: belongs to a run of {stored.epochs} epochs, and now epochs is {config.epochs}: {what} depend on "
            f"the run's length, so the result is not that of an unchanged run of {config.epochs} epochs",
            BincamWarning,
            stacklevel=4,
        )


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            result |= _flat(inner, f"{prefix}{key}.")
        else:
            result[prefix + key] = inner
    return result
