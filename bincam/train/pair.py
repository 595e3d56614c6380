"""Two models that differ in how classes were weighed and in nothing else, and the proof of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.errors import InputError
from bincam.files import write_json
from bincam.train.config import TrainConfig
from bincam.train.feed import make_order
from bincam.train.loop import fit_until
from bincam.train.losses import make_loss
from bincam.train.process import stoppable
from bincam.train.runfolder import Result
from bincam.train.splits import read_splits
from bincam.train.state import saving
from bincam.train.weights import ClassCounts

KIND, SCHEMA = "bincam-pair", 2
FILE = "pair.json"


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
        """Whether the arms had the same first weights and, where neither was re-sampled, the same images in order."""
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
    configs = {
        name: config.model_copy(update={"out": str(folder / name), "loss": arm.loss, "resampling": arm.resampling})
        for name, arm in config.arms.items()
    }
    train = read_splits(config.data).train
    counts = ClassCounts.from_table(train)
    for own in configs.values():  # before the first arm is trained, which may take a day
        make_loss(own.loss.name, counts, **own.loss.options)
        make_order(train, own)
    with stoppable() as stopped:  # around all arms: Ctrl-C at the end of one does not let the next begin
        arms = {name: fit_until(own, stopped, resume=resume) for name, own in configs.items()}
    proof = prove(config, arms)
    if PartialState().is_main_process:
        with saving(folder):
            write_json(folder / FILE, proof)
    return PairResult(folder, arms, proof)


def prove(config: TrainConfig, arms: dict[str, Result]) -> dict[str, Any]:
    """Compare what the arms saw.

    Where an arm ended earlier than another, the epochs that all of them had are compared. Re-sampling changes which
    images are seen by design; between re-sampled arms only the first weights are compared, and ``resampled`` says so.

    Args:
        config: Of the pair.
        arms: Each arm's result.

    Returns:
        The digests side by side, and ``identical``: whether each sort of them agrees.
    """
    common = min(result.epochs for result in arms.values())
    resampled = any(arm.resampling.name != "none" for arm in config.arms.values())
    seen = {
        key: {name: [record[key] for record in result.history[:common]] for name, result in arms.items()}
        for key in ("order", "pixels")
    }
    first = {name: result.initial_weights for name, result in arms.items()}
    identical = {"initial_weights": len(set(first.values())) == 1}
    if not resampled:
        identical |= {key: len({tuple(v) for v in values.values()}) == 1 for key, values in seen.items()}
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "identical": identical,
        "resampled": resampled,
        "epochs_compared": common,
        "arms": {
            name: {
                "folder": name,
                "loss": config.arms[name].loss.model_dump(mode="json"),
                "resampling": config.arms[name].resampling.model_dump(mode="json"),
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "initial_weights": first[name],
                "order": seen["order"][name],
                "pixels": seen["pixels"][name],
            }
            for name, result in arms.items()
        },
    }
