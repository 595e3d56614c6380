"""Pairs of models that differ only in how classes are weighted or resampled, and the proof of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.beside import Beside
from bincam.errors import BincamWarning, InputError
from bincam.files import write_json
from bincam.folder_lock import take
from bincam.one_of import yes_or_no
from bincam.progress import Course
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.config import PAIR_FILE as FILE
from bincam.train.configuration.config import TrainConfig
from bincam.train.configuration.sections import LossConfig, ResamplingConfig, SetLossConfig
from bincam.train.loop import fit, fit_until
from bincam.train.run_loss import has_set_head, make_run_loss, set_loss_of
from bincam.train.runs.checkpoint import FILE as STATE
from bincam.train.runs.checkpoint import Identity, read_state, saving
from bincam.train.runs.folder import Result, refuse_overwriting
from bincam.train.runs.initial_model import initial_model, weights_digest
from bincam.train.runs.splits import read_splits
from bincam.train.steps.batches import make_order
from bincam.train.steps.distributed import deferred_interrupt

KIND, SCHEMA = "bincam-pair", 3


@dataclass(frozen=True)
class PairResult:
    """The result of training a pair.

    Attributes:
        folder: Contains a run's folder for each arm, and ``pair.json``.
        arms: Each arm's result.
        proof: The content of ``pair.json``.
    """

    folder: Path
    arms: dict[str, Result]
    proof: dict[str, Any]

    @property
    def identical(self) -> bool:
        """True if all arms had the same initial weights and those with the same resampling the same images."""
        return all(self.proof["identical"].values())


def fit_pair(config: TrainConfig, *, resume: bool = False, beside: Beside | None = None) -> PairResult:
    """Train every arm of a configuration from the same initial weights, in the same order, with the same augmentation.

    Args:
        config: ``config.arms`` states what is specific to each arm; its folder is ``config.out/NAME``.
        resume: Resume arms that are not finished, and leave those that are.
        beside: Processes in which all arms are trained at once: faster for small networks, at the memory of all of
            them. The number of threads of each, which may change the last digits of sums, is in its manifest.

    Raises:
        InputError: There are fewer than two arms, or as ``fit``.
        KeyboardInterrupt: Training was interrupted, as for ``fit``; no further arm is started.

    Example:
        Train a tiny unweighted and a class-weighted network on the ORL photographs, for one epoch each.

        >>> import tempfile
        >>> from bincam.train import TrainConfig, fit_pair
        >>> folder = tempfile.TemporaryDirectory()
        >>> config = TrainConfig(
        ...     data={"source": "orl", "attributes": ["Eyeglasses"], "folds": 4, "size": 32},
        ...     model={"name": "resnet10t", "options": {"channels": [8, 16, 32, 64]}},
        ...     epochs=1, tensorboard=False, out=folder.name,
        ... )
        >>> pair = fit_pair(config)
        >>> pair.proof["identical"]
        {'initial_weights': True, 'order': True, 'pixels': True}
        >>> [result.model().card.loss for result in pair.arms.values()]
        ['bce', 'moon_bce']
        >>> folder.cleanup()
    """
    from accelerate import PartialState

    if len(config.arms) < 2:
        raise InputError(f"a pair needs at least two arms, got {', '.join(config.arms) or 'none'}")
    folder = Path(config.out)
    configs = {name: config.arm(name) for name in config.arms}
    _warn_of_unused(config, configs)
    _check(config, configs, resume=resume)
    with deferred_interrupt() as interrupted:  # around all arms: Ctrl-C at the end of one prevents the next
        if beside is not None and PartialState().num_processes == 1:
            arms = beside.at_once(_fit, {name: (own, resume) for name, own in configs.items()})
        else:
            arms = _in_turn(configs, interrupted, resume=resume)
    proof = prove(config, arms)
    if PartialState().is_main_process:
        with take(folder, writes=(FILE,)), saving(folder):
            write_json(folder / FILE, proof)
    return PairResult(folder, arms, proof)


def _fit(config: TrainConfig, resume: bool) -> Result:
    return fit(config, resume=resume)


def _in_turn(configs: dict[str, TrainConfig], interrupted: Callable[[], bool], *, resume: bool) -> dict[str, Result]:
    with Course({name: config.epochs for name, config in configs.items()}) as course:
        arms = {}
        for name, own in configs.items():
            course.begin(name)
            arms[name] = fit_until(own, interrupted, resume=resume)
    return arms


def _warn_of_unused(config: TrainConfig, configs: dict[str, TrainConfig]) -> None:
    """Warn of a configured loss or resampling that no arm uses, because each has its own."""
    for key in ("loss", "resampling", "set_loss"):
        common, by_arm = getattr(config, key), {name: getattr(own, key) for name, own in configs.items()}
        if key in config.model_fields_set and common not in by_arm.values():
            arms = ", ".join(f"{name} has {_describe(own)}" for name, own in by_arm.items())
            warnings.warn(f"{key} {_describe(common)} is used by no arm: {arms}", BincamWarning, stacklevel=3)


def _describe(part: LossConfig | ResamplingConfig | SetLossConfig | None) -> str:
    if part is None:
        return "the one that belongs to its loss"
    return f"{part.name} with {part.options}" if part.options else part.name


def _check(config: TrainConfig, configs: dict[str, TrainConfig], *, resume: bool) -> None:
    """Raise the errors of all arms before the first is trained, which may take a day."""
    splits = read_splits(config.data)
    counts = ClassCounts.from_table(splits.train)
    trained: dict[tuple[str, str, str], list[str]] = {}
    for name, own in configs.items():
        make_run_loss(own, splits.train)
        make_order(splits.train, own)
        # What an arm trains: without attributes its loss of attributes has no effect.
        of_sets = set_loss_of(own).model_dump_json() if splits.train.one_of else ""
        of_attributes = own.loss.model_dump_json() if yes_or_no(splits.train.names, splits.train.one_of) else ""
        trained.setdefault((of_attributes, of_sets, own.resampling.model_dump_json()), []).append(name)
        refuse_overwriting(Path(own.out), resume=resume)
    two_heads = {name: has_set_head(own, splits.train) for name, own in configs.items()}
    if len(set(two_heads.values())) > 1:
        single, double = (next(name for name, two in two_heads.items() if two is kind) for kind in (False, True))
        raise InputError(
            f"arm {double!r} has a second head for label sets and arm {single!r} has none, so their initial weights "
            "cannot be the same; train them one by one, with the same seed"
        )
    for names in trained.values():
        if splits.train.one_of and len(names) > 1:
            warnings.warn(
                f"arms {' and '.join(names)} train the same: their losses and resampling are equal on these data",
                BincamWarning,
                stacklevel=3,
            )
    if resume and any((Path(own.out) / STATE).exists() for own in configs.values()):
        second = any(two_heads.values())
        initial_weights = weights_digest(initial_model(config, splits.train, counts.pairs(), set_head=second))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BincamWarning)  # each arm repeats them when it is resumed
            for own in configs.values():
                read_state(Path(own.out), Identity(own, splits.train.names, splits.digest, initial_weights))


def prove(config: TrainConfig, arms: dict[str, Result]) -> dict[str, Any]:
    """Compare the initial weights, orders and images of the arms.

    If an arm ended earlier than another, the epochs that all arms have are compared. Resampling changes by design which
    images are seen: images are compared between arms with the same resampling, or none, and ``resampled`` states
    whether any arm is resampled.

    Args:
        config: Of the pair.
        arms: Each arm's result.

    Returns:
        The digests of all arms, and ``identical``: whether each kind of digest agrees.
    """
    common = min(result.epochs for result in arms.values())
    configs = {name: config.arm(name) for name in config.arms}
    by_resampling: dict[str, list[str]] = {}
    for name, own in configs.items():
        by_resampling.setdefault(own.resampling.model_dump_json(), []).append(name)
    comparable = [names for names in by_resampling.values() if len(names) > 1]
    seen = {
        key: {name: [record[key] for record in result.history[:common]] for name, result in arms.items()}
        for key in ("order", "pixels")
    }
    initial_weights = {name: result.initial_weights for name, result in arms.items()}
    identical = {"initial_weights": len(set(initial_weights.values())) == 1}
    if comparable:
        identical |= {
            key: all(len({tuple(values[name]) for name in names}) == 1 for names in comparable)
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
                **(
                    {"set_loss": set_loss_of(configs[name]).model_dump(mode="json")}
                    if "sets" in result.history[0]["validation"]
                    else {}
                ),
                "resampling": configs[name].resampling.model_dump(mode="json"),
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "initial_weights": initial_weights[name],
                "order": seen["order"][name],
                "pixels": seen["pixels"][name],
                "lr": [record["lr"] for record in result.history],
            }
            for name, result in arms.items()
        },
    }
