"""The card of a set of scenes: the settings it was made with, what was measured on it, and its digest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.describe import SPLITS
from bincam.generated import begun
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.rules import best_accuracy
from bincam.scenes.labels.subsets import COUNTS
from bincam.scenes.settings import SceneSettings

KIND = "bincam-scenes"
SCHEMA = 1
head = partial(begun.head, KIND, SCHEMA)


def read_same(root: Path, settings: SceneSettings, stated: dict[str, Any]) -> dict[str, Any] | None:
    """Read the card of a folder that was begun by this version with the same settings; None if there is none.

    Args:
        root: The folder.
        settings: Of the set.
        stated: The same, with seed and count, as the card states them.

    Raises:
        InputError: The folder contains something else.
    """
    complete: dict[str, Any] = {
        "images": int,
        "table": str,
        "digest": str,
        "measured.splits": dict[str, int],
        "measured.prevalence": dict[str, float],
        "measured.least_visible_share": float,
    }
    if settings.rule == "one":
        complete["measured.best_accuracy"] = float
    for one in settings.shortcuts:
        complete |= {f"measured.cues.{one.cue}.class": str, f"measured.cues.{one.cue}.agreement": float}
    return begun.read_same(root, stated, kind=KIND, schema=SCHEMA, complete=complete)


def measure(
    settings: SceneSettings,
    *,
    present: NDArray[np.bool_],
    labels: NDArray[np.int64],
    cues: dict[str, NDArray[np.bool_]],
    splits: NDArray[np.intp],
    seen: NDArray[np.float64],
) -> dict[str, Any]:
    """Measure how closely a set meets its settings.

    Args:
        settings: Of the set.
        present: (N, 10).
        labels: (N,) columns of the labels; -1 with the rule ``all``.
        cues: (N,) for each planted cue.
        splits: (N,) indices into ``SPLITS``.
        seen: (objects,) share of every object that is seen.

    Returns:
        Prevalences, numbers of shapes, shares of labels, agreement of each cue with its class, the best accuracy that
        labels of the rule ``one`` allow, the least share of an object that is seen, and the sizes of the splits.
    """
    counts = present.sum(axis=1)
    measured: dict[str, Any] = {
        "splits": {name: int((splits == code).sum()) for code, name in enumerate(SPLITS)},
        "shapes_per_scene": {str(count): int((counts == count).sum()) for count in COUNTS},
        "prevalence": _named(present.mean(axis=0)),
        "least_visible_share": round(float(seen.min()), 4),
        "mean_visible_share": round(float(seen.mean()), 4),
    }
    if settings.rule != "all":
        measured["labels"] = {name: int((labels == column).sum()) for column, name in enumerate(SHAPES)}
    if settings.rule == "one":
        shortcuts = {f"{one.cue}:{one.shape}": one.strength for one in settings.shortcuts}
        measured["best_accuracy"] = round(best_accuracy(present, shortcuts), 5)
    if settings.shortcuts:
        measured["cues"] = {}
    for one in settings.shortcuts:
        of_class = present[:, one.column] if settings.rule == "all" else labels == one.column
        cued = cues[one.cue]
        measured["cues"][one.cue] = {
            "class": one.shape,
            "scenes_of_class": int(of_class.sum()),
            "with_cue_of_class": int((cued & of_class).sum()),
            "with_cue_of_others": int((cued & ~of_class).sum()),
            "agreement": round(float((cued == of_class).mean()), 5),
        }
    return measured


def _named(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in zip(SHAPES, values, strict=True)}
