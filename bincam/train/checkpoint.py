"""What a run needs to go on as if it had never stopped: one file, whole or absent, that holds no code."""

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
from bincam.train import run_manifest
from bincam.train.config import TrainConfig, make_config
from bincam.train.config_sections import HIGHER_IS_BETTER
from bincam.train.schedule import Waiting, improved

KIND, SCHEMA = "bincam-train-state", 2
FILE = "state/state.pt"
FREE = ("epochs", "out", "checkpoint_steps", "tensorboard", "test", "device", "arms")
"""Fields in which the configuration of a run may differ from that of its state, with ``data.source`` (its
content is compared), ``data.workers`` and ``data.memory``."""


@dataclass
class Position:
    """How far a run is.

    Attributes:
        epoch: Epochs that are done.
        step: Optimiser steps that are done in the next one.
        loss_sum: Of those steps' losses.
        pixel_sum: Of those steps' images, see ``bincam.train.batches.pixel_sum``.
        seconds: Spent in training steps so far.
        best_epoch: From 1; 0 before the first.
        best_value: The chosen metric there.
        plateau: What the schedule waits for.
        stopping: What early stopping waits for.
        history: A record per epoch, the lines of ``metrics.jsonl``.
        ended: Why the run is over; empty while it is not.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    pixel_sum: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_value: float | None = None
    plateau: Waiting = field(default_factory=Waiting)
    stopping: Waiting = field(default_factory=Waiting)
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""

    def count(self, record: dict[str, Any], config: TrainConfig) -> None:
        """Count an epoch that was trained and judged: whether it is the best so far, and whether it was the last.

        Args:
            record: Its line of ``metrics.jsonl``.
            config: Of the run.
        """

        def value(metric: str) -> float:
            found = record["validation"]["mean"][metric]
            return math.nan if found is None else float(found)

        self.epoch += 1
        self.step, self.loss_sum, self.seconds = 0, 0.0, 0.0
        self.history.append(record)
        if improved(value(config.best), self.best_value, higher=HIGHER_IS_BETTER[config.best]):
            self.best_epoch, self.best_value = self.epoch, value(config.best)
        elif self.best_epoch == 0:  # a metric that is undefined chooses no epoch, and some model must be kept
            self.best_epoch = self.epoch
        schedule, stopping = config.schedule, config.early_stopping
        if schedule.name == "plateau":
            higher = HIGHER_IS_BETTER[schedule.metric]
            self.plateau = self.plateau.after(value(schedule.metric), higher=higher, patience=schedule.patience)
        if stopping is not None:
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
    """A state file's content.

    Attributes:
        position: How far.
        tensors: State dicts by name: model, optimizer, and where used ema and scaler.
    """

    position: Position
    tensors: dict[str, Any]


@dataclass(frozen=True)
class Identity:
    """Whose state it is: what must be the same for a run to be gone on with.

    Attributes:
        config: The run's.
        attributes: The model's outputs.
        data: Digest of the data set and its splits.
        initial_weights: Digest of the first weights. They follow from the configuration, but also from timm, torch, and
            the files of pretrained weights, which may be others by the time that the run is gone on with.
    """

    config: TrainConfig
    attributes: tuple[str, ...]
    data: str
    initial_weights: str


def write_state(folder: Path, run: Identity, state: State) -> None:
    """Write a run's state; when that fails, the former one is still there.

    Raises:
        BincamError: It cannot be written, for example because the disk is full.
    """
    who = {
        "config": run.config.model_dump(mode="json"),
        "attributes": run.attributes,
        "data": run.data,
        "initial_weights": run.initial_weights,
    }
    text = json.dumps({**who, **asdict(state.position)})
    with saving(folder), atomic(folder / FILE) as part:
        torch.save({"kind": KIND, "schema": SCHEMA, "run": text, **state.tensors}, part)


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Say what a failed write means for a run.

    Raises:
        BincamError: Something could not be written.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch's own writer raises RuntimeError on a full disk
        reason = str(error).splitlines()[0]
        if not isinstance(error, (OSError, SafetensorError)):  # torch tells of a position in its file
            reason = f"is the disk full? torch says: {reason}"
        kept = (
            "the former state is kept: make room and go on with --resume"
            if (folder / FILE).exists()
            else "no state yet"
        )
        raise BincamError(f"{folder}: cannot be written: {reason}; {kept}") from None


def read_state(folder: Path, run: Identity) -> State | None:
    """Read a run's state; nothing in the file can run code.

    Returns:
        None where there is none.

    Raises:
        InputError: It is broken, or belongs to a run with another configuration, other attributes, other data or other
            first weights.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        value = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # whatever is wrong with it, the reader of weights has words for it
        read_weights(file)
        raise
    if not isinstance(value, dict) or value.get("kind") != KIND or value.get("schema") != SCHEMA:
        raise InputError(f"{file}: expected a {KIND} of schema {SCHEMA}; it cannot be gone on with")
    stored = json.loads(value.pop("run"))
    theirs = Identity(
        make_config(stored.pop("config"), source=str(file)),
        tuple(stored.pop("attributes")),
        stored.pop("data"),
        stored.pop("initial_weights"),
    )
    _compare(theirs, run, file)
    _compare_lengths(theirs.config, run.config, file)
    position = Position(**stored)
    position.plateau, position.stopping = Waiting(**stored["plateau"]), Waiting(**stored["stopping"])
    return State(position, {key: part for key, part in value.items() if key not in {"kind", "schema"}})


def _compare(stored: Identity, run: Identity, file: Path) -> None:
    if stored.attributes != run.attributes:
        at = next((i for i, (a, b) in enumerate(zip(stored.attributes, run.attributes, strict=False)) if a != b), None)
        what = (
            f"{len(stored.attributes)} of them, not {len(run.attributes)}"
            if at is None
            else f"{stored.attributes[at]!r}, not {run.attributes[at]!r}"
        )
        raise InputError(f"{file}: belongs to other attributes ({what}); give another out, or the old attributes")
    theirs, ours = _flat(stored.config.model_dump(mode="json")), _flat(run.config.model_dump(mode="json"))
    for key in sorted(theirs.keys() | ours.keys()):
        if key.split(".")[0] in FREE or key in {"data.source", "data.workers", "data.memory"}:
            continue
        if theirs.get(key) != ours.get(key):
            raise InputError(
                f"{file}: belongs to a run with {key} {theirs.get(key)!r}, and now it is {ours.get(key)!r}; "
                "put it back, or give another out"
            )
    if stored.data != run.data:
        raise InputError(f"{file}: the data set has changed since (labels, splits or images' names); give another out")
    if stored.initial_weights != run.initial_weights:
        raise InputError(
            f"{file}: belongs to a run with first weights {stored.initial_weights[:12]}..., and now they would be "
            f"{run.initial_weights[:12]}...: the pretrained weights, or the versions of timm or torch, have changed "
            f"since; put them back ({run_manifest.FILE} has the versions), or give another out"
        )


def _compare_lengths(stored: TrainConfig, config: TrainConfig, file: Path) -> None:
    """Warn where the epochs that are done would have been others in a run as long as this one is to be."""
    defers = config.loss.name == "ldam" and config.loss.options.get("defer", 0) < 1
    parts = {"a cosine's learning rates": config.schedule.name == "cosine", "ldam's weights": defers}
    what = " and ".join(name for name, there in parts.items() if there)
    if stored.epochs != config.epochs and what:
        warnings.warn(
            f"{file}: belongs to a run of {stored.epochs} epochs, and now they are {config.epochs}: {what} follow the "
            f"run's length, so the result is not that of {config.epochs} epochs at one go",
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
