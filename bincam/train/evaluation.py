"""Logits of a model on a split, gathered from all processes, each image exactly once, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.data.dataloader import Loader
from bincam.models import AttributeClassifier, Card
from bincam.models.borrow import evaluating
from bincam.stats.class_counts import ClassCounts
from bincam.stats.classification import count, evaluate

METRICS = (
    "minority_error",
    "majority_error",
    "fnr",
    "fpr",
    "balanced_error",
    "accuracy",
    "majority_baseline",
    "baseline_removed",
    "auroc",
    "ap",
    "brier",
    "ece",
)


@dataclass(frozen=True)
class Said:
    """Logits and labels of a split, in the table's order.

    Attributes:
        logits: ``(N, A)`` float32.
        labels: ``(N, A)`` float32: 1, 0 or NaN.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.float32]


@torch.no_grad()
def ask(model: AttributeClassifier, batches: Loader, device: torch.device, *, channels_last: bool) -> Said:
    """Run a model over a split, of which every process has a part, in evaluation mode and full precision.

    Args:
        model: On ``device``; its modes are restored.
        batches: This process's images; all processes together have each row of the table once.
        device: Where to compute.
        channels_last: Memory format of the images.

    Returns:
        The whole split, the same in every process.
    """
    from accelerate.utils import gather_object

    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    rows, logits = [], []
    with evaluating(model):
        for batch in batches:
            images = batch.images.to(device, non_blocking=True).contiguous(memory_format=memory_format)
            logits.append(model(images).float())  # (B, A)
            rows.append(batch.rows)
    mine = (torch.cat(rows).numpy(), torch.cat(logits).cpu().numpy())
    parts = gather_object([mine])
    labels = np.array(batches.dataset.table.labels)
    whole = np.full(labels.shape, np.nan, np.float32)
    for at, values in parts:
        whole[at] = values
    return Said(whole, labels)


def judge(said: Said, card: Card, counts: ClassCounts, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Compute metrics as plain values: the means over attributes, and every attribute's; undefined is None.

    Args:
        said: Of a split.
        card: Of the model.
        counts: In training; they say which class is the minority.
        thresholds: In logit units; 0 where none is given.
    """
    t = np.array([thresholds.get(name, 0.0) for name in card.attributes])
    metrics = evaluate(said.logits, said.labels, t, counts, card.head)
    counted = count(said.logits, said.labels, t, card.head)
    values = {name: np.asarray(getattr(metrics, name), np.float64) for name in METRICS}
    whole = {"n": metrics.n, "tp": counted.tp, "fp": counted.fp, "fn": counted.fn, "tn": counted.tn}
    return {
        "mean": {name: plain(metrics.mean(name)) for name in METRICS},
        "defined": {name: int(np.count_nonzero(~np.isnan(value))) for name, value in values.items()},
        "attributes": {
            attribute: {name: int(value[i]) for name, value in whole.items()}
            | {name: plain(value[i]) for name, value in values.items()}
            for i, attribute in enumerate(card.attributes)
        },
    }


def plain(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
