"""A run's folder: the best and the last model, the state and the records; and the result of the run."""

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
from bincam.train.configuration.config import TrainConfig, dump
from bincam.train.runs import manifest as run_manifest
from bincam.train.runs.checkpoint import FILE as STATE
from bincam.train.runs.checkpoint import Position, saving
from bincam.train.runs.initial_model import updated_card

TEST, TEST_KIND, TEST_SCHEMA = "test.json", "bincam-test", 1
WRITES = ("*.json", "*.jsonl", "*.yaml", "*.safetensors", "last/*", STATE)
"""Patterns of the files of a run's folder, of which a killed run may leave temporary ones."""
CHANGING = ("versions", "git", "processes", "device", "threads", "length")
"""Entries of a run's manifest that may change when it is resumed, besides the location of its data."""


@dataclass(frozen=True)
class Result:
    """The result of a run, as ``bincam.train.fit`` returns it.

    Attributes:
        folder: The run's folder, which is also a model folder.
        epochs: Number of trained epochs, including those before the run was resumed.
        best_epoch: The epoch whose weights are kept, counted from 1.
        best_value: The chosen metric of that epoch on validation; None if it was never defined.
        ended: ``"epochs"`` or ``"early stopping"``.
        initial_weights: SHA-256 of the initial weights.
        history: One record per epoch, the lines of ``metrics.jsonl``.
        test: The content of ``test.json``, or None.

    Example:
        >>> from pathlib import Path
        >>> from bincam.train import Result
        >>> records = ({"epoch": 1, "loss": 0.61}, {"epoch": 2, "loss": 0.48})
        >>> result = Result(Path("runs/balanced"), 2, 2, 0.12, "epochs", "9f86d0", records, None)
        >>> result.history[result.best_epoch - 1]["loss"]
        0.48
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
        """Load the best epoch's model."""
        return load(self.folder)


class RunFolder:
    """Writes a run's files; only rank 0 writes.

    Every file is whole or absent. After an epoch the state is written first, and everything else follows from it: files
    that are missing after a kill are written when the run is resumed.
    """

    def __init__(self, config: TrainConfig, facts: dict[str, Any], *, writes: bool) -> None:
        self.path = Path(config.out)
        self.config, self.facts, self.writes = config, facts, writes

    def write_config(self) -> None:
        """Write ``config.yaml``, resolved."""
        if self.writes:
            with saving(self.path), atomic(self.path / "config.yaml") as part:
                part.write_text(dump(self.config), encoding="utf-8")

    def write_models(self, model: AttributeClassifier, record: dict[str, Any], *, best: bool) -> None:
        """Write the model to ``last/`` and, if the epoch is the best so far, to the folder itself.

        Args:
            model: As evaluated.
            record: Of the epoch; its tuned thresholds, offsets and calibration go to the card.
            best: True if the epoch is the best so far.
        """
        if not self.writes:
            return
        tuned = record["tuned_thresholds"]
        card = updated_card(
            model,
            tuned_thresholds=tuned,
            thresholds=tuned if self.config.store_thresholds else {},
            calibration=record["calibration"],
            tuned_offsets=record.get("tuned_offsets", {}),
        )
        tuned_model = AttributeClassifier(model.network, card)
        with saving(self.path):
            if best:
                (self.path / TEST).unlink(missing_ok=True)  # it is of an earlier model
                save(tuned_model, self.path)
            save(tuned_model, self.path / "last")

    def write_records(self, position: Position, status: str) -> None:
        """Write ``metrics.jsonl`` and ``manifest.json``.

        Args:
            position: Of the run.
            status: ``running``, ``interrupted``, ``stopped`` (by a loss that is not finite) or ``finished``.
        """
        if not self.writes:
            return
        history = position.history
        lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in history]
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
                    "ended": position.ended or None,
                    "epochs": [{key: record[key] for key in ("epoch", "order", "pixels")} for record in history],
                    "best": {"epoch": position.best_epoch, "metric": self.config.best, "value": position.best_value},
                    "tuned_thresholds": history[position.best_epoch - 1]["tuned_thresholds"] if history else {},
                },
            )

    def write_test(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write ``test.json`` and return its content."""
        whole = {"kind": TEST_KIND, "schema": TEST_SCHEMA, **result}
        if self.writes:
            with saving(self.path):
                write_json(self.path / TEST, whole)
        return whole

    def is_finished(self) -> bool:
        """Return True if the run in the folder is finished."""
        manifest = _manifest(self.path)
        return manifest is not None and manifest["status"] == "finished"

    def read_test(self) -> dict[str, Any] | None:
        """Read ``test.json``, if it exists."""
        file = self.path / TEST
        return read_json(file, kind=TEST_KIND, schema=TEST_SCHEMA) if file.is_file() else None

    def resume(self, model: AttributeClassifier, position: Position) -> None:
        """Write models missing after a kill between state and models; keep the manifest of the run's start.

        ``resumed`` in the manifest lists those of ``CHANGING`` that have changed.

        Args:
            model: The evaluated model of the state.
            position: Of the state.
        """
        manifest = _manifest(self.path)
        if position.epoch and position.step == 0 and (manifest is None or len(manifest["epochs"]) < position.epoch):
            self.write_models(model, position.history[-1], best=position.best_epoch == position.epoch)
        if manifest is None:
            return
        changed = {key: self.facts[key] for key in CHANGING if self.facts[key] != manifest.get(key)}
        if self.facts["data"]["source"] != manifest["data"]["source"]:
            changed["source"] = self.facts["data"]["source"]
        resumed = [*manifest.get("resumed", []), {"epoch": position.epoch, "step": position.step, **changed}]
        self.facts = {key: manifest.get(key, value) for key, value in self.facts.items()} | {"resumed": resumed}


def refuse_overwriting(folder: Path, *, resume: bool) -> None:
    """Refuse a folder whose content a run would overwrite.

    Args:
        folder: Of the run.
        resume: True if the run in the folder is to be resumed.

    Raises:
        InputError: The folder contains a run and ``resume`` is False, or a model without a state to resume from.
    """
    if (folder / STATE).exists():
        if not resume:
            raise InputError(f"{folder}: contains a run; resume it with --resume (resume=True), or choose another out")
    elif (folder / CARD).exists() or (folder / WEIGHTS).exists():
        raise InputError(f"{folder}: contains a model but no state of a run to resume; choose another out")


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Read the folder's manifest; None if it is absent or unreadable, because a new one will be written."""
    try:
        return read_json(folder / run_manifest.FILE, kind=run_manifest.KIND, schema=run_manifest.SCHEMA)
    except InputError:
        return None
