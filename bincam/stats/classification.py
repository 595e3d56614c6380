"""How good a model is per attribute: from integer counts, which add up over processes, and from the order of scores."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.models.heads import Head, probability
from bincam.postprocessing.thresholds import by_score, paired
from bincam.stats.class_counts import ClassCounts

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 15
"""Of equal width over [0, 1], for the calibration error."""
_UNIT = 2**-30
"""Probabilities are summed as integers in this unit, so that sums do not depend on their order."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Integers that say everything but the order of scores. Those of two parts of a data set are added with ``+``.

    Attributes:
        tp: ``(A,)``, positives called positive; likewise ``fp``, ``fn``, ``tn``.
        fp: ``(A,)``.
        fn: ``(A,)``.
        tn: ``(A,)``.
        undefined: ``(A,)``, labelled entries whose logit is NaN; they are in none of the others.
        bin_images: ``(A, BINS)``, images whose probability falls into each bin.
        bin_positives: ``(A, BINS)``, those of them that are positive.
        bin_probability: ``(A, BINS)``, sum of the probabilities in units of 2⁻³⁰.
        squares: ``(A,)``, sum of the squared differences of probability and label, in units of 2⁻³⁰.
    """

    tp: Integers
    fp: Integers
    fn: Integers
    tn: Integers
    undefined: Integers
    bin_images: Integers
    bin_positives: Integers
    bin_probability: Integers
    squares: Integers

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, eq=False)
class Metrics:
    """One value per attribute, ``(A,)``; NaN where undefined.

    Probabilities are those of the logits as they are: what the training loss shifted is not shifted back.

    Attributes:
        n: Labelled images with a logit.
        undefined: Labelled images whose logit is NaN; they are left out.
        minority_error: Share of the class that is rarer in training that is called wrongly.
        majority_error: Share of the other class that is called wrongly.
        fnr: Share of positives called negative.
        fpr: Share of negatives called positive.
        balanced_error: Mean of ``fnr`` and ``fpr``.
        accuracy: Share called rightly.
        majority_baseline: Accuracy of always saying the class that is more frequent in training.
        baseline_removed: Share of that baseline's error that the model removes; negative where it is worse.
        auroc: Area under the receiver operating characteristic; ties count one half.
        ap: Average precision.
        brier: Mean squared difference of probability and label.
        ece: Expected calibration error over 15 bins of equal width: the mean over images of how far the share of
            positives in their bin is from its mean probability.
    """

    n: Integers
    undefined: Integers
    minority_error: Floats
    majority_error: Floats
    fnr: Floats
    fpr: Floats
    balanced_error: Floats
    accuracy: Floats
    majority_baseline: Floats
    baseline_removed: Floats
    auroc: Floats
    ap: Floats
    brier: Floats
    ece: Floats

    def mean(self, name: str) -> float:
        """Mean of a metric over the attributes where it is defined; NaN where it is nowhere."""
        values: Floats = getattr(self, name)
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else float("nan")


def count(logits: ArrayLike, labels: ArrayLike, threshold: ArrayLike, head: Head = "logits") -> Counts:
    """Count what can be counted.

    Args:
        logits: ``(N, A)``, z.
        labels: ``(N, A)``: 1, 0 or NaN.
        threshold: ``(A,)`` or one number, t; z >= t is called positive.
        head: Of the model: what a probability is.

    Raises:
        InputError: Shapes differ, or a label is not 0, 1 or NaN.
    """
    z, y = paired(logits, labels)
    defined = ~np.isnan(y) & ~np.isnan(z)
    called = z >= np.asarray(threshold, np.float64)
    positive, negative = defined & (y == 1), defined & (y == 0)
    p = probability(torch.from_numpy(np.where(defined, z, 0.0)), head).numpy()
    which = np.minimum((p * BINS).astype(np.intp), BINS - 1) + BINS * np.arange(z.shape[1])
    place = which[defined]
    units = np.rint(p / _UNIT).astype(np.int64)

    def per_bin(amount: NDArray[np.int64]) -> Integers:
        result = np.zeros(z.shape[1] * BINS, np.int64)
        np.add.at(result, place, amount[defined])
        return result.reshape(z.shape[1], BINS)

    return Counts(
        tp=(called & positive).sum(0),
        fp=(called & negative).sum(0),
        fn=(~called & positive).sum(0),
        tn=(~called & negative).sum(0),
        undefined=(~np.isnan(y) & np.isnan(z)).sum(0),
        bin_images=per_bin(np.ones_like(units)),
        bin_positives=per_bin(positive.astype(np.int64)),
        bin_probability=per_bin(units),
        squares=np.where(defined, np.rint((p - positive) ** 2 / _UNIT), 0).astype(np.int64).sum(0),
    )


def evaluate(
    logits: ArrayLike,
    labels: ArrayLike,
    threshold: ArrayLike,
    counts: ClassCounts,
    head: Head = "logits",
) -> Metrics:
    """Metrics of a whole split.

    Args:
        logits: ``(N, A)``.
        labels: ``(N, A)``: 1, 0 or NaN.
        threshold: ``(A,)`` or one number.
        counts: In training: they say which class is the minority. Where both are equally frequent it is the positive.
        head: Of the model.

    Raises:
        InputError: Shapes or numbers of attributes differ, or a label is not 0, 1 or NaN.
    """
    z, y = paired(logits, labels)
    if z.shape[1] != len(counts.attributes):
        raise InputError(f"logits have {z.shape[1]} attributes, and the training counts {len(counts.attributes)}")
    held = count(z, y, threshold, head)
    positives, negatives = held.tp + held.fn, held.tn + held.fp
    n = positives + negatives
    fnr, fpr = _share(held.fn, positives), _share(held.fp, negatives)
    rare = counts.minority_positive
    accuracy = _share(held.tp + held.tn, n)
    baseline = _share(np.where(rare, negatives, positives), n)
    wrong = 1 - baseline
    auroc, ap = _ordered(z, y)
    gaps = np.abs(held.bin_positives - held.bin_probability * _UNIT).sum(1)
    return Metrics(
        n=n,
        undefined=held.undefined,
        minority_error=np.where(rare, fnr, fpr),
        majority_error=np.where(rare, fpr, fnr),
        fnr=fnr,
        fpr=fpr,
        balanced_error=(fnr + fpr) / 2,
        accuracy=accuracy,
        majority_baseline=baseline,
        baseline_removed=_share(accuracy - baseline, wrong),
        auroc=auroc,
        ap=ap,
        brier=_share(held.squares * _UNIT, n),
        ece=_share(gaps, n),
    )


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    """``part / whole``, NaN where there is nothing to have a share of."""
    total = np.asarray(whole, np.float64)
    return np.asarray(np.divide(np.asarray(part, float), total, out=np.full(total.shape, np.nan), where=total > 0))


def _ordered(logits: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """AUROC and average precision of those attributes that have both classes, from one sort each."""
    auroc, ap = np.full(labels.shape[1], np.nan), np.full(labels.shape[1], np.nan)
    for a in range(labels.shape[1]):
        defined = ~np.isnan(labels[:, a]) & ~np.isnan(logits[:, a])
        _, positives, negatives = by_score(logits[defined, a], labels[defined, a])
        p, n = positives.sum(), negatives.sum()
        if p and n:
            below = negatives.cumsum() - negatives
            auroc[a] = (positives * (2 * below + negatives)).sum() / (2 * p * n)  # whole numbers up to the quotient
            tp, fp = (held[::-1].cumsum()[::-1] for held in (positives, negatives))  # at each score as threshold
            ap[a] = (positives * (tp / (tp + fp))).sum() / p
    return auroc, ap
