"""A run's folder: the best model itself, beside it the last one, the state, the records; and what is told of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.errors import InputError
from bincam.files import atomic, read_json, write_json
from bincam.models import AttributeClassifier, load, save
from bincam.models.card import FILE as CARD
from bincam.models.checkpoint import WEIGHTS
from bincam.train import run_manifest
from bincam.train.checkpoint import FILE as STATE
from bincam.train.checkpoint import Position, saving
from bincam.train.config import TrainConfig, dump
from bincam.train.initial_model import card_of

TEST, TEST_KIND, TEST_SCHEMA = "test.json", "bincam-test", 1
CHANGING = ("versions", "git", "processes", "device", "threads", "length")
"""Facts of a run's manifest that may be others when it is gone on with, beside the place of its data."""


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        folder: The run's folder, itself a model's folder.
        epochs: That were trained, counting those before a resumption.
        best_epoch: Whose weights are the model, from 1.
        best_value: The chosen metric there, on validation; None where it was never defined.
        ended: ``"epochs"`` or ``"early stopping"``.
        initial_weights: SHA-256 of the first weights.
        history: A record per epoch, the lines of ``metrics.jsonl``.
        test: What ``test.json`` holds, or None.
    """

    folder: Path
    epochs: int
    best_epoch: int
    best_value: float | None
    ended: str
    initial_weights: str
    history: tuple[dict[str, Any], ...]
    test: dict[str, Any] | None

    def model(self) -> AttributeClassifier:
        """The best epoch's model."""
        return load(self.folder)


class RunFolder:
    """Writes what a run leaves; the other processes' writes do nothing.

    Every file is whole or absent. After an epoch the state is written first, and everything else follows from it: what
    a kill leaves undone is done when the run is taken up.
    """

    def __init__(self, config: TrainConfig, facts: dict[str, Any], *, writes: bool) -> None:
        self.path = Path(config.out)
        self.config, self.facts, self.writes = config, facts, writes

    def config_file(self) -> None:
        """``config.yaml``, resolved."""
        if self.writes:
            with saving(self.path), atomic(self.path / "config.yaml") as part:
                part.write_text(dump(self.config), encoding="utf-8")

    def models(self, model: AttributeClassifier, record: dict[str, Any], *, best: bool) -> None:
        """``last/``, and the folder itself where the epoch is the best so far.

        Args:
            model: As judged.
            record: Of the epoch: what was tuned and calibrated on validation goes to the card.
            best: Whether the epoch is.
        """
        if not self.writes:
            return
        tuned = record["tuned_thresholds"]
        card = card_of(
            model,
            tuned_thresholds=tuned,
            thresholds=tuned if self.config.store_thresholds else {},
            calibration=record["calibration"],
        )
        shown = AttributeClassifier(model.network, card)
        with saving(self.path):
            if best:
                (self.path / TEST).unlink(missing_ok=True)  # of another model
                save(shown, self.path)
            save(shown, self.path / "last")

    def records(self, at: Position, status: str) -> None:
        """``metrics.jsonl`` and ``manifest.json``.

        Args:
            at: How far the run is.
            status: ``running``, ``interrupted``, ``stopped`` (by a loss that is not finite) or ``finished``.
        """
        if not self.writes:
            return
        lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in at.history]
        with saving(self.path):
            with atomic(self.path / "metrics.jsonl") as part:
                part.write_text("".join(lines), encoding="utf-8")
            write_json(
                self.path / run_manifest.FILE,
                {
                    "kind": run_manifest.KIND,
                    "schema": run_manifest.SCHEMA,
                    **self.facts,
                    "status": status,
                    "ended": at.ended or None,
                    "epochs": [{key: record[key] for key in ("epoch", "order", "pixels")} for record in at.history],
                    "best": {"epoch": at.best_epoch, "metric": self.config.best, "value": at.best_value},
                    "tuned_thresholds": at.history[at.best_epoch - 1]["tuned_thresholds"] if at.history else {},
                },
            )

    def test(self, result: dict[str, Any]) -> dict[str, Any]:
        """``test.json``, and what it holds."""
        whole = {"kind": TEST_KIND, "schema": TEST_SCHEMA, **result}
        if self.writes:
            with saving(self.path):
                write_json(self.path / TEST, whole)
        return whole

    def finished(self) -> bool:
        """Whether the run in the folder was finished."""
        there = _manifest(self.path)
        return there is not None and there["status"] == "finished"

    def tested(self) -> dict[str, Any] | None:
        """What ``test.json`` holds, if it is there."""
        file = self.path / TEST
        return read_json(file, kind=TEST_KIND, schema=TEST_SCHEMA) if file.is_file() else None

    def take_up(self, model: AttributeClassifier, at: Position) -> None:
        """Do what a kill between an epoch's state and its models left undone, and keep who began the run.

        The facts stay those of the beginning; ``resumed`` has those of ``CHANGING`` that are others now.

        Args:
            model: As the state has it, judged.
            at: What the state tells.
        """
        there = _manifest(self.path)
        if at.epoch and at.step == 0 and (there is None or len(there["epochs"]) < at.epoch):
            self.models(model, at.history[-1], best=at.best_epoch == at.epoch)
        if there is None:
            return
        changed = {key: self.facts[key] for key in CHANGING if self.facts[key] != there.get(key)}
        if self.facts["data"]["source"] != there["data"]["source"]:
            changed["source"] = self.facts["data"]["source"]
        resumed = [*there.get("resumed", []), {"epoch": at.epoch, "step": at.step, **changed}]
        self.facts = {key: there.get(key, value) for key, value in self.facts.items()} | {"resumed": resumed}


def may_begin(folder: Path, *, resume: bool) -> None:
    """Refuse a folder whose content a run would overwrite.

    Args:
        folder: The run's.
        resume: Whether it is to go on with the run there.

    Raises:
        InputError: It holds a run and ``resume`` is false, or a model and no state to go on from.
    """
    if (folder / STATE).exists():
        if not resume:
            raise InputError(f"{folder}: holds a run; go on with it by --resume (resume=True), or give another out")
    elif (folder / CARD).exists() or (folder / WEIGHTS).exists():
        raise InputError(f"{folder}: holds a model, and no state of a run to go on with; give another out")


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest that lies there; None where there is none that can be read, and another will be written."""
    try:
        return read_json(folder / run_manifest.FILE, kind=run_manifest.KIND, schema=run_manifest.SCHEMA)
    except InputError:
        return None
