"""Two models that differ in how classes were weighed and in nothing else, and the proof of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.errors import BincamWarning, InputError
from bincam.files import write_json
from bincam.stats.class_counts import ClassCounts
from bincam.train.batches import make_order
from bincam.train.checkpoint import Identity, read_state, saving
from bincam.train.config import PAIR_FILE as FILE
from bincam.train.config import TrainConfig
from bincam.train.config_sections import LossConfig, ResamplingConfig
from bincam.train.distributed import stoppable
from bincam.train.initial_model import first_model, weights_digest
from bincam.train.loop import fit_until
from bincam.train.losses.registry import make_loss
from bincam.train.run_folder import Result, may_begin
from bincam.train.splits import read_splits

KIND, SCHEMA = "bincam-pair", 3


@dataclass(frozen=True)
class PairResult:
    """What training a pair gave.

    Attributes:
        folder: Holds a run's folder for each arm, and ``pair.json``.
        arms: Each arm's result.
        proof: What ``pair.json`` holds.
    """

    folder: Path
    arms: dict[str, Result]
    proof: dict[str, Any]

    @property
    def identical(self) -> bool:
        """Whether the arms had the same first weights and, where re-sampled alike or not at all, the same images."""
        return all(self.proof["identical"].values())


def fit_pair(config: TrainConfig, *, resume: bool = False) -> PairResult:
    """Train every arm of a configuration with the same first weights, sample order and augmentation draws.

    Args:
        config: ``config.arms`` says what each arm has of its own; its folder is ``config.out/NAME``.
        resume: Go on with arms that are not finished, and leave those that are.

    Raises:
        InputError: There are fewer than two arms, or as ``fit``.
        KeyboardInterrupt: It was stopped, as by ``fit``; no further arm is begun.
    """
    from accelerate import PartialState

    if len(config.arms) < 2:
        raise InputError(f"a pair has at least two arms, got {', '.join(config.arms) or 'none'}")
    folder = Path(config.out)
    configs = {name: config.arm(name) for name in config.arms}
    _tell_unused(config, configs)
    _check(config, configs, resume=resume)
    with stoppable() as stopped:  # around all arms: Ctrl-C at the end of one does not let the next begin
        arms = {name: fit_until(own, stopped, resume=resume) for name, own in configs.items()}
    proof = prove(config, arms)
    if PartialState().is_main_process:
        with saving(folder):
            write_json(folder / FILE, proof)
    return PairResult(folder, arms, proof)


def _tell_unused(config: TrainConfig, configs: dict[str, TrainConfig]) -> None:
    """Warn of a loss or a re-sampling that was asked for and is no arm's, because each has its own."""
    for key in ("loss", "resampling"):
        wanted, own = getattr(config, key), {name: getattr(one, key) for name, one in configs.items()}
        if key in config.model_fields_set and wanted not in own.values():
            there = ", ".join(f"{name} has {_told(one)}" for name, one in own.items())
            warnings.warn(f"{key} {_told(wanted)} is no arm's: {there}", BincamWarning, stacklevel=3)


def _told(part: LossConfig | ResamplingConfig) -> str:
    return f"{part.name} with {part.options}" if part.options else part.name


def _check(config: TrainConfig, configs: dict[str, TrainConfig], *, resume: bool) -> None:
    """Find out what would stop any arm before the first is trained, which may take a day."""
    splits = read_splits(config.data)
    counts = ClassCounts.from_table(splits.train)
    for own in configs.values():
        make_loss(own.loss.name, counts, **own.loss.options)
        make_order(splits.train, own)
        may_begin(Path(own.out), resume=resume)
    if resume:
        first = weights_digest(first_model(config, splits.train, counts.pairs()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BincamWarning)  # each arm tells of them when it is taken up
            for own in configs.values():
                read_state(Path(own.out), Identity(own, splits.train.names, splits.digest, first))


def prove(config: TrainConfig, arms: dict[str, Result]) -> dict[str, Any]:
    """Compare what the arms saw.

    Where an arm ended earlier than another, the epochs that all of them had are compared. Re-sampling changes which
    images are seen by design: images are compared between arms that are re-sampled alike, or not at all, and
    ``resampled`` says whether any is.

    Args:
        config: Of the pair.
        arms: Each arm's result.

    Returns:
        The digests side by side, and ``identical``: whether each sort of them agrees.
    """
    common = min(result.epochs for result in arms.values())
    configs = {name: config.arm(name) for name in config.arms}
    alike: dict[str, list[str]] = {}  # arms by how they are re-sampled
    for name, own in configs.items():
        alike.setdefault(own.resampling.model_dump_json(), []).append(name)
    several = [names for names in alike.values() if len(names) > 1]
    seen = {
        key: {name: [record[key] for record in result.history[:common]] for name, result in arms.items()}
        for key in ("order", "pixels")
    }
    first = {name: result.initial_weights for name, result in arms.items()}
    identical = {"initial_weights": len(set(first.values())) == 1}
    if several:
        identical |= {
            key: all(len({tuple(values[name]) for name in names}) == 1 for names in several)
            for key, values in seen.items()
        }
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "identical": identical,
        "resampled": any(own.resampling.name != "none" for own in configs.values()),
        "epochs_compared": common,
        "arms": {
            name: {
                "folder": name,
                "loss": configs[name].loss.model_dump(mode="json"),
                "resampling": configs[name].resampling.model_dump(mode="json"),
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "initial_weights": first[name],
                "order": seen["order"][name],
                "pixels": seen["pixels"][name],
                "lr": [record["lr"] for record in result.history],
            }
            for name, result in arms.items()
        },
    }
