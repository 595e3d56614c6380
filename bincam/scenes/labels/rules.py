"""Rules that make labels of what a scene shows, and what a single label leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.scenes.labels.shortcuts import parse_shortcuts
from bincam.scenes.labels.subsets import COUNTS

RULES: tuple[str, ...] = ("one", "all", "largest")
"""``one`` of the shapes present, drawn uniformly; ``all`` as ten yes-or-no attributes; the ``largest`` that is seen."""


def drawn_labels(present: ArrayLike, chance: ArrayLike) -> NDArray[np.int64]:
    """Choose one of the shapes present for each scene, uniformly for uniform ``chance``.

    Args:
        present: (N, S) bool.
        chance: (N,) from 0 to below 1.

    Returns:
        (N,) columns of ``present``.
    """
    shown = np.asarray(present, bool)
    count = shown.sum(axis=1)
    nth = np.minimum((np.asarray(chance) * count).astype(np.int64), count - 1)
    return np.asarray((np.cumsum(shown, axis=1) == nth[:, None] + 1).argmax(axis=1))


def redraw_labels(present: ArrayLike, seed: int = 0, epoch: int = 0) -> NDArray[np.int64]:
    """Draw the labels of the rule ``one`` anew, for instance in every epoch, so that a model cannot memorise them.

    A shortcut was painted for the label drawn first, so redrawing its labels severs it: draw fresh scenes instead.

    Args:
        present: (N, S) bool: the shapes in each scene, as in ``present.csv`` or ``Scenes.present``.
        seed: Of the run, not negative.
        epoch: Number of the draw, not negative; each is independent of the others and of the labels on disk.

    Returns:
        (N,) columns of ``present``.

    Raises:
        InputError: A scene shows nothing, ``present`` is no table, or a number is negative.

    Example:
        >>> from bincam import scenes
        >>> shown = scenes.draw(6, seed=1).present
        >>> first, second = (scenes.redraw_labels(shown, epoch=epoch) for epoch in (0, 1))
        >>> bool(shown[range(6), first].all()), bool((first != second).any())
        (True, True)
    """
    shown = np.asarray(present)
    if shown.ndim != 2 or not np.isin(shown, (0, 1)).all():
        raise InputError(f"expected present (N, S) of 0 and 1, got shape {shown.shape} of {shown.dtype}")
    if len(empty := np.flatnonzero(~shown.any(axis=1))):
        raise InputError(f"scene {empty[0]} shows nothing that could be its label ({len(empty)} such scenes)")
    if seed < 0 or epoch < 0:
        raise InputError(f"expected a seed and an epoch that are not negative, got {seed} and {epoch}")
    return drawn_labels(shown, np.random.default_rng([seed, epoch]).random(len(shown)))


def best_accuracy(present: ArrayLike | None = None, shortcut: Mapping[str, float] | None = None) -> float:
    """Return the best expected accuracy on labels of the rule ``one``.

    Without shortcuts it is the mean of 1/k over scenes of k shapes. With them it is the mean over scenes of
    Σ_c max_y P(y) P(c | y): c are the cues, y the shapes present, and P(y) = 1/k.

    Args:
        present: (N, 10) bool: the shapes in each scene; None for the expectation over scenes, (1/3 + 1/4 + 1/5) / 3.
        shortcut: As for :func:`bincam.scenes.make`; of scenes that are given.

    Raises:
        InputError: A scene shows nothing, or shortcuts are stated without scenes.

    Example:
        >>> from bincam import scenes
        >>> round(scenes.best_accuracy(), 4)
        0.2611
        >>> round(scenes.best_accuracy([[1, 0, 0, 1, 0, 0, 0, 0, 1, 0]], {"mark:star": 0.9}), 4)
        0.6
    """
    planted = parse_shortcuts(shortcut or {})
    if present is None:
        if planted:
            raise InputError("the best accuracy with shortcuts depends on the shapes in each scene; give present")
        return float((1 / np.array(COUNTS)).mean())
    shown = np.asarray(present, bool)
    counts = shown.sum(axis=1)
    if not len(counts) or (counts == 0).any():
        raise InputError("expected scenes that each show at least one shape")
    best = np.zeros(len(shown))
    for cues in product((False, True), repeat=len(planted)):
        chance = shown / counts[:, None]
        for one, cue in zip(planted, cues, strict=True):
            of_class = np.arange(shown.shape[1]) == one.column
            chance = chance * np.where(of_class == cue, one.strength, 1 - one.strength)
        best += chance.max(axis=1)
    return float(best.mean())
