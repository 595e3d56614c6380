"""Evaluation of a run's model on the validation split after each epoch, and on the test split at the end."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.data import AttributeTable, loader
from bincam.data.dataloader import Loader
from bincam.errors import BincamWarning
from bincam.models import AttributeClassifier, load
from bincam.models.borrowing.one_image import check_one_image
from bincam.one_of import set_columns, yes_or_no
from bincam.postprocessing.offsets import match_frequencies
from bincam.postprocessing.platt import platt
from bincam.postprocessing.thresholds import tune
from bincam.train.configuration.config import TrainConfig
from bincam.train.evaluations.evaluation import Said, ask, judge, plain
from bincam.train.evaluations.set_evaluation import LARGE
from bincam.train.runs.checkpoint import Position
from bincam.train.runs.setup import Setup
from bincam.train.steps.distributed import Process


class RunEvaluation:
    """Runs models over a run's splits, together with the other processes.

    Raises:
        UnsupportedError: The initial model's output is not a function of one image, so that metrics would depend on the
            size of batches.
    """

    def __init__(self, config: TrainConfig, setup: Setup, process: Process) -> None:
        self.config, self.setup, self.process = config, setup, process
        self.card = setup.model.card
        self.columns = yes_or_no(self.card.attributes, self.card.one_of)
        self.names = [self.card.attributes[column] for column in self.columns]
        channels, size = len(self.card.mean), self.card.input_size
        check_one_image(
            setup.model,
            torch.zeros(1, channels, *size, device=process.device),
            lambda logits: logits,
            remedy="choose another backbone or other model.options",
        )
        self.validation = self._loader(setup.splits.validation)
        self.test_split = setup.splits.test if config.test else None

    def validate(self, model: AttributeClassifier) -> Said:
        """Compute the logits of the validation split."""
        return ask(model, self.validation, self.process.device, channels_last=self.config.channels_last)

    def record(self, predictions: Said) -> dict[str, Any]:
        """Return the part of an epoch's record that follows from the validation split.

        Args:
            predictions: Of the validation split; all logits are finite.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BincamWarning)  # splits that lack a class were reported once, by name
            logits, labels = self._of_attributes(predictions)
            tuned = zip(self.names, tune(logits, labels).tolist(), strict=True)
        return {
            "validation": self._metrics(predictions, {}, {}),
            "tuned_thresholds": {name: value for name, value in tuned if math.isfinite(value)},
            **({"tuned_offsets": self._offsets(predictions)} if self.card.one_of else {}),
            "calibration": {} if self.card.logit_shift else self._calibration(predictions),
        }

    def test(self, folder: Path, position: Position) -> dict[str, Any] | None:
        """Evaluate the best epoch's model on the test split, at threshold 0 and at the tuned thresholds and offsets.

        Args:
            folder: Contains the model.
            position: Of the run.

        Returns:
            The content of ``test.json``; None where there is no test.
        """
        if self.test_split is None:
            return None
        model: AttributeClassifier = load(folder, self.process.device)
        if self.config.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
        # As in the last epoch, also where that was trained before the run was resumed.
        self.setup.loss.set_epoch(position.epoch - 1, self.config.epochs)
        batches = self._loader(self.test_split)
        predictions = ask(model, batches, self.process.device, channels_last=self.config.channels_last)
        best = position.history[position.best_epoch - 1]
        tuned, offsets = best["tuned_thresholds"], best.get("tuned_offsets", {})
        return {
            "images": len(predictions.labels),
            "epoch": position.best_epoch,
            "zero": self._metrics(predictions, {}, {}),
            "tuned": self._metrics(predictions, tuned, offsets),
            "tuned_thresholds": tuned,
            **({"tuned_offsets": offsets} if self.card.one_of else {}),
        }

    def _loader(self, table: AttributeTable) -> Loader:
        process = self.process
        return loader(
            table,
            card=self.card,
            batch_size=max(self.config.batch_size // process.world, 1),
            workers=self.config.data.workers,
            rank=process.rank,
            world=process.world,
            pin_memory=process.device.type == "cuda",
        )

    def _calibration(self, predictions: Said) -> dict[str, tuple[float, float]]:
        """Fit slope and intercept of each attribute for which they are defined."""
        fitted = zip(self.names, platt(*self._of_attributes(predictions)).tolist(), strict=True)
        return {name: (slope, intercept) for name, (slope, intercept) in fitted if math.isfinite(slope + intercept)}

    def _of_attributes(self, predictions: Said) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits and labels of the yes-or-no attributes."""
        return predictions.logits[:, self.columns], predictions.labels[:, self.columns]

    def _offsets(self, predictions: Said) -> dict[str, float]:
        """Fit the offsets of the outputs of each set for which they are defined; those of large sets take too long."""
        result: dict[str, float] = {}
        for name, columns in set_columns(self.card.one_of, self.card.attributes).items():
            at = list(columns)
            if len(at) > LARGE:
                continue
            fitted = match_frequencies(predictions.logits[:, at], predictions.labels[:, at])
            if np.isfinite(fitted).all():
                result |= dict(zip(self.card.one_of[name], fitted.tolist(), strict=True))
        return result

    def _metrics(self, predictions: Said, thresholds: dict[str, float], offsets: dict[str, float]) -> dict[str, Any]:
        """Compute the metrics at some thresholds and offsets, and the loss, which depends on none."""
        loss = self.setup.loss
        result = judge(predictions, self.card, self.setup.counts, thresholds, offsets)
        with torch.no_grad():
            logits, labels = (
                torch.from_numpy(v).to(self.process.device) for v in (predictions.logits, predictions.labels)
            )
            mean = (loss.sums(logits, labels) / loss.normalizer(labels).clamp(min=1)).sum()
        return {**result, "mean": {"loss": plain(float(mean)), **result["mean"]}}
