"""Exact match: one view is right on all questions at once, beside label vectors of other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.framing.averages import mean, share


@dataclass(frozen=True)
class ExactMatch:
    """Exact match over Q questions.

    Attributes:
        right: Share of images of which one view is right on all questions.
        null: The mean share of other people's images, or other images, whose label vector one view matches.
        excess: ``right`` less ``null``.
        unlabelled: Images of which a label is unknown; they are left out.
    """

    right: Estimate
    null: Estimate
    excess: Estimate
    unlabelled: int


def exact_match(
    questions: Sequence[tuple[NDArray[np.integer], NDArray[np.integer]]], clusters: Clusters, level: float = LEVEL
) -> ExactMatch:
    """Estimate the share of images of which one view is right on all questions. *Ours*.

    The more attributes, the fewer label vectors a view that merely flips can match, so this oracle is not void; the
    null says what it would be with the label vector of another image. All pairs of images are counted, without a draw:
    for each image, the share of images of other clusters whose label vector is among the answers of its views.

    Args:
        questions: Answers ``(N, V)`` and true answers ``(N,)`` of every question, from ``attribute_answers`` and
            ``set_answers``. A view without an answer to one of them matches nothing.
        clusters: Clusters of the N images.
        level: Confidence level.

    Raises:
        InputError: Fewer than two questions, for which it is the oracle of one, or shapes that differ.

    Example:
        >>> import numpy as np
        >>> from bincam.stats import Clusters, exact_match
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(2, size=(100, 3))
        >>> plain, flipped = labels.T[:, :, None], rng.integers(2, size=(3, 100, 2))
        >>> seen = [(np.concatenate([plain[q], flipped[q]], 1), labels[:, q]) for q in range(3)]
        >>> match = exact_match(seen, Clusters.of([""] * 100))
        >>> match.right.value, bool(match.null.high < 0.6)
        (1.0, True)
    """
    if len(questions) < 2:
        raise InputError(
            f"exact match of {len(questions)} question: it needs at least two, since for one attribute any flip is a "
            "match; read oracles instead"
        )
    shape = questions[0][0].shape
    if any(answers.shape != shape or true.shape != shape[:1] for answers, true in questions):
        raise InputError("the answers (N, V) and true answers (N,) of all questions need the same N and V")
    given = np.stack([answers for answers, _ in questions], -1).astype(np.int32)  # (N, V, Q)
    true = np.stack([true for _, true in questions], -1).astype(np.int32)  # (N, Q)
    labelled = np.asarray((true >= 0).all(1))
    N, V = shape
    codes = np.unique(np.concatenate([true, given.reshape(N * V, -1)]), axis=0, return_inverse=True)[1].reshape(-1)
    wanted, seen = codes[:N], codes[N:].reshape(N, V)
    seen = np.where((given >= 0).all(2), seen, -1)
    kinds = int(codes.max()) + 1
    # One row per image and distinct answer vector, so that views that agree are counted once.
    rows = np.repeat(np.arange(N), V)
    pairs = np.unique(np.stack([rows, seen.reshape(-1)], 1), axis=0)
    pairs = pairs[(pairs[:, 1] >= 0) & labelled[pairs[:, 0]]]
    hit = np.where(labelled, (seen == wanted[:, None]).any(1), np.nan)
    with_labels = np.flatnonzero(labelled)
    wearers = np.bincount(wanted[with_labels], minlength=kinds)  # images with each label vector
    sayers = np.bincount(pairs[:, 1], minlength=kinds)  # images of which a view says it
    person = clusters.codes.astype(np.int64) * kinds  # plus a kind: the number of a person with a label vector
    wears, says = person + wanted, person[pairs[:, 0]] + pairs[:, 1]
    others = len(with_labels) - _occurrences(clusters.codes[with_labels], clusters.codes)
    of_others = wearers[pairs[:, 1]] - _occurrences(wears[with_labels], says)
    matched = np.bincount(pairs[:, 0], of_others, minlength=N)
    matching = sayers[wanted] - _occurrences(says, wears)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(labelled & (others > 0), matched / others, np.nan)
        of_label = np.where(labelled & (others > 0), matching / others, np.nan)
    null = float(np.nanmean(expected)) if np.isfinite(expected).any() else np.nan
    of_label = of_label - (np.nanmean(of_label) if np.isfinite(of_label).any() else np.nan)
    assert np.isnan(null) or null >= 0
    return ExactMatch(
        share(hit, clusters, level),
        mean(expected + of_label, clusters, (0.0, 1.0), level),
        mean(hit - expected - of_label, clusters, (-1.0, 1.0), level),
        int((~labelled).sum()),
    )


def _occurrences(entries: NDArray[np.integer], wanted: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count how often each wanted number is among the entries."""
    ordered = np.sort(entries)
    return np.searchsorted(ordered, wanted, "right") - np.searchsorted(ordered, wanted, "left")
