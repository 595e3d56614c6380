"""Metrics of a model per attribute: from integer counts, which add up over parts of a split, and from ranks of scores.

Training evaluates with these; audits put intervals around the same metrics (``stats.roc``, ``stats.calibration``). Both
leave out the same images (``outcomes.is_usable``), decide by the same rule and sort probabilities into the same bins.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_scores, is_positive
from bincam.errors import InputError
from bincam.stats.calibration import BINS, bin_index, probability
from bincam.stats.class_counts import ClassCounts
from bincam.stats.outcomes import basic_rate, is_usable
from bincam.stats.roc import auroc_and_precision

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_UNIT = 2**-30
"""Probabilities are summed as integers in this unit, so that sums do not depend on their order."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Integers that say everything but the order of scores. Those of two parts of a data set are added with ``+``.

    Attributes:
        tp: ``(A,)``, positives predicted positive; likewise ``fp``, ``fn``, ``tn``.
        fp: ``(A,)``.
        fn: ``(A,)``.
        tn: ``(A,)``.
        undefined: ``(A,)``, labelled images whose logit is not finite; they are in none of the others.
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
        n: Labelled images with a finite logit.
        undefined: Labelled images whose logit is not finite; they are left out.
        minority_error: Share of the class that is rarer in training that is misclassified.
        majority_error: Share of the other class that is misclassified.
        fnr: Share of positives predicted negative.
        fpr: Share of negatives predicted positive.
        balanced_error: Mean of ``fnr`` and ``fpr``.
        accuracy: Share that is classified correctly.
        majority_baseline: Accuracy of always predicting the class that is more frequent in training.
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
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if defined.size else float("nan")


def count(logits: ArrayLike, labels: ArrayLike, threshold: ArrayLike, head: str = "logits") -> Counts:
    """Count the outcomes of decisions, and probabilities by bin.

    Args:
        logits: ``(N, A)``, z.
        labels: ``(N, A)``: 1, 0 or NaN.
        threshold: ``(A,)`` or one number, t; a logit at its threshold is positive.
        head: Of the model: decides how a logit becomes a probability.

    Raises:
        InputError: Shapes differ, or a label is not 0, 1 or NaN.
    """
    z, y = check_scores(logits, labels)
    defined = is_usable(y, z)
    called = is_positive(z, np.asarray(threshold, np.float64))
    positive, negative = defined & (y == 1), defined & (y == 0)
    p = probability(np.where(defined, z, 0.0), head)
    place = (bin_index(p) + BINS * np.arange(z.shape[1]))[defined]
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
        undefined=(~np.isnan(y) & ~defined).sum(0),
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
    head: str = "logits",
) -> Metrics:
    """Compute the metrics of a whole split.

    Args:
        logits: ``(N, A)``.
        labels: ``(N, A)``: 1, 0 or NaN.
        threshold: ``(A,)`` or one number.
        counts: In training: they say which class is the minority. Where both are equally frequent it is the positive.
        head: Of the model.

    Raises:
        InputError: Shapes or numbers of attributes differ, or a label is not 0, 1 or NaN.
    """
    z, y = check_scores(logits, labels)
    if z.shape[1] != len(counts.attributes):
        raise InputError(f"logits have {z.shape[1]} attributes, and the training counts {len(counts.attributes)}")
    counted = count(z, y, threshold, head)
    positives, negatives = counted.tp + counted.fn, counted.tn + counted.fp
    n = positives + negatives
    fnr, fpr = _share(counted.fn, positives), _share(counted.fp, negatives)
    rare = counts.minority_positive
    accuracy = _share(counted.tp + counted.tn, n)
    baseline = _share(np.where(rare, negatives, positives), n)
    wrong = 1 - baseline
    auroc, ap = _ordered(z, y)
    gaps = np.abs(counted.bin_positives - counted.bin_probability * _UNIT).sum(1)
    return Metrics(
        n=n,
        undefined=counted.undefined,
        minority_error=_class_error("minority_error", rare, fnr, fpr),
        majority_error=_class_error("majority_error", rare, fnr, fpr),
        fnr=fnr,
        fpr=fpr,
        balanced_error=(fnr + fpr) / 2,
        accuracy=accuracy,
        majority_baseline=baseline,
        baseline_removed=_share(accuracy - baseline, wrong),
        auroc=auroc,
        ap=ap,
        brier=_share(counted.squares * _UNIT, n),
        ece=_share(gaps, n),
    )


def _class_error(rate: str, minority_positive: NDArray[np.bool_], fnr: Floats, fpr: Floats) -> Floats:
    """``(A,)``: the error of the minority or the majority class, which is ``fnr`` or ``fpr`` by its side."""
    names = np.array([basic_rate(rate, 1 if positive else -1) for positive in minority_positive])
    return np.where(names == "fnr", fnr, fpr)


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    """``part / whole``, NaN where there is nothing to have a share of."""
    total = np.asarray(whole, np.float64)
    return np.asarray(np.divide(np.asarray(part, float), total, out=np.full(total.shape, np.nan), where=total > 0))


def _ordered(logits: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """AUROC and average precision ``(A,)`` of the images that have a label and a finite logit."""
    auroc, ap = np.full(labels.shape[1], np.nan), np.full(labels.shape[1], np.nan)
    usable = is_usable(labels, logits)
    for a in range(labels.shape[1]):
        rows = usable[:, a]
        auroc[a], ap[a] = auroc_and_precision(logits[rows, a], labels[rows, a] == 1)
    return auroc, ap
