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
from bincam.models.borrowing.borrow import evaluating
from bincam.one_of import yes_or_no
from bincam.stats.class_counts import ClassCounts
from bincam.stats.classification import count, evaluate
from bincam.stats.sets.metrics import mean_of_defined
from bincam.train.evaluations.raw_scores import raw_scores
from bincam.train.evaluations.set_evaluation import judge_sets, of_set

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
        logits: ``(N, A)`` float32; of the outputs of sets the raw scores. Logits of a second head follow.
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
            logits.append(raw_scores(model, images).float())  # (B, A)
            rows.append(batch.rows)
    mine = (torch.cat(rows).numpy(), torch.cat(logits).cpu().numpy())
    parts = gather_object([mine])
    labels = np.array(batches.dataset.table.labels)
    whole = np.full((len(labels), mine[1].shape[1]), np.nan, np.float32)
    for at, values in parts:
        whole[at] = values
    return Said(whole, labels)


def judge(
    said: Said,
    card: Card,
    counts: ClassCounts,
    thresholds: Mapping[str, float],
    offsets: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Compute metrics as plain values: the means over attributes and sets, and each of theirs; undefined is None.

    Args:
        said: Of a split.
        card: Of the model.
        counts: In training; they say which class is the minority.
        thresholds: In logit units; 0 where none is given.
        offsets: Added to the raw scores of the outputs of sets; 0 where none is given.
    """
    sets = judge_sets(said.logits, said.labels, card, counts, offsets or {})
    columns = yes_or_no(card.attributes, card.one_of)
    names = [card.attributes[i] for i in columns]
    logits, labels = said.logits[:, columns], said.labels[:, columns]
    t = np.array([thresholds.get(name, 0.0) for name in names])
    metrics = evaluate(logits, labels, t, counts.select(columns), card.head)
    counted = count(logits, labels, t, card.head)
    values = {name: np.asarray(getattr(metrics, name), np.float64) for name in METRICS}
    whole = {"n": metrics.n, "tp": counted.tp, "fp": counted.fp, "fn": counted.fn, "tn": counted.tn}
    shown = {attribute: i for i, attribute in enumerate(names)}
    if sets:  # a set is one question, like an attribute
        values = {
            name: np.append(value, [of_set(entry, name) for entry in sets.values()]) for name, value in values.items()
        }
    return {
        "mean": {name: plain(mean_of_defined(value)) for name, value in values.items()},
        "defined": {name: int(np.count_nonzero(~np.isnan(value))) for name, value in values.items()},
        "attributes": {
            attribute: {name: int(value[i]) for name, value in whole.items()}
            | {name: plain(value[i]) for name, value in values.items()}
            for attribute, i in shown.items()
        },
        **({"sets": sets} if sets else {}),
    }


def plain(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
