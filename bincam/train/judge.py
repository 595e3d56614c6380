"""What a model says of a split, gathered from all processes, each image exactly once; and what it is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.data.batches import Loader
from bincam.models import AttributeClassifier
from bincam.models.borrow import evaluating

if TYPE_CHECKING:
    from bincam.train.metrics import Metrics

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
        model: On ``device``; its modes are put back.
        batches: This process's images; together the processes' hold each row of the table once.
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


def as_json(metrics: Metrics, attributes: tuple[str, ...]) -> dict[str, Any]:
    """Metrics as plain values: the means over attributes, and every attribute's; undefined is null."""
    values = {name: np.asarray(getattr(metrics, name), np.float64) for name in METRICS}
    counts = np.asarray(metrics.n)
    return {
        "mean": {name: plain(metrics.mean(name)) for name in METRICS},
        "defined": {name: int(np.count_nonzero(~np.isnan(value))) for name, value in values.items()},
        "attributes": {
            attribute: {"n": int(counts[i]), **{name: plain(value[i]) for name, value in values.items()}}
            for i, attribute in enumerate(attributes)
        },
    }


def plain(value: float) -> float | None:
    """A number as JSON has it."""
    return float(value) if math.isfinite(value) else None
