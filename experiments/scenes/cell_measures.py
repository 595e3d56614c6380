"""Cells against their nulls: do those on an object say what it is, and does the image's answer say so too?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bincam import scenes
from bincam.metrics import image_columns, null_columns, recoverable
from experiments.scenes.observed import Observed, mean_over_pairs
from experiments.scenes.training import average_precisions

Figures = dict[str, Any]


def cell_figures(seen: Observed, *, single: bool) -> Figures:
    """Measure the cells of every shape in every scene, whether or not it is the image's label.

    Args:
        seen: Test scenes.
        single: The outputs exclude one another: the classifier was trained with one label per image.
    """
    masks, labels = seen.foreground, seen.labels
    own = image_columns(seen.grid, masks, labels)
    nulls = _nulls(seen) if single else null_columns(seen.grid, masks, labels, own_region=False)
    first = seen.grid.logits.argmax(1)
    wrong = labels.bool() & (_not_answered(first, labels) if single else seen.grid.logits < 0)
    covered, fallback = masks.fallback == 0, masks.fallback == 1
    figures: Figures = {
        name: mean_over_pairs(own[name])
        for name in ("inside", "outside", "recovery", "chance", "independent_chance", "foreground", "fallback")
    }
    figures["contrast"] = mean_over_pairs(own["contrast"], (-1.0, 1.0))
    figures["false_alarm"] = mean_over_pairs(nulls["false_alarm"])
    figures["absent_alarm"] = mean_over_pairs(nulls["absent_alarm"])
    for name, kept in (("covered", covered), ("fallback", fallback)):
        auroc = torch.where(kept, own["auroc"], torch.nan)
        figures[f"auroc_{name}"] = mean_over_pairs(auroc)
        figures[f"auroc_over_null_{name}"] = mean_over_pairs(
            torch.where(kept, own["auroc"] - nulls["null_auroc"], torch.nan), (-1.0, 1.0)
        )
        figures[f"recovery_{name}"] = mean_over_pairs(torch.where(kept, own["recovery"], torch.nan))
    figures["recovery_of_errors"] = mean_over_pairs(torch.where(wrong, own["recovery"], torch.nan))
    figures["recoverable"] = mean_over_pairs(recoverable(own["recovery"], own["chance"], wrong), (-1.0, 1.0))
    figures["missed"] = mean_over_pairs(torch.where(labels == 1, wrong.float(), torch.nan))
    return figures | _ranking(seen, single=single)


def _not_answered(first: Tensor, labels: Tensor) -> Tensor:
    """Mark the outputs that the image's answer is not, ``(N, 10)``."""
    return first[:, None] != torch.arange(labels.shape[1])


def _nulls(seen: Observed) -> Mapping[str, Tensor]:
    """Nulls of a set in which several outputs are shown: each shape in turn is taken as the label."""
    labels = seen.labels
    found = {name: torch.full_like(labels, torch.nan) for name in ("null_auroc", "false_alarm", "absent_alarm")}
    rank = labels.cumsum(1) * labels
    for nth in range(1, int(labels.sum(1).max()) + 1):
        one = (rank == nth).float()
        part = null_columns(
            seen.grid, seen.foreground, one, own_region=False, present={"shape": labels.bool()}, seed=nth
        )
        for name, values in part.items():
            found[name] = torch.where(one == 1, values, found[name])
    return found


def _ranking(seen: Observed, *, single: bool) -> Figures:
    """Average precision of the ten shapes by the image's logit and by its best cell; of single labels the accuracy."""
    shown = seen.drawn.present
    cells = seen.grid.members["shape"].softmax(1) if single else seen.grid.scores
    figures: Figures = {
        "map_of_image": float(np.mean(average_precisions(shown, seen.grid.logits.numpy()))),
        "map_of_best_cell": float(np.mean(average_precisions(shown, cells.amax((2, 3)).numpy()))),
        "map_by_chance": float(shown.mean()),
    }
    if single:
        first = seen.grid.logits.argmax(1).numpy()
        figures["top_1"] = mean_over_pairs((first == seen.drawn.labels).astype(float))
        # Of all labels that could have been drawn: with those of 1,000 scenes it has a standard error of .014.
        figures["top_1_expected"] = mean_over_pairs(shown[np.arange(len(first)), first] / shown.sum(1))
        figures["top_1_present"] = mean_over_pairs(shown[np.arange(len(first)), first].astype(float))
        figures["top_1_ceiling"] = scenes.best_accuracy(shown)
    return figures
