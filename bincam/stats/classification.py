"""Metrics of a model per attribute, without intervals: from integer counts, which add up over parts of a split.

Training evaluates with these. Audits put intervals around the same metrics of the same images, and of the same bins of
probabilities. ``stats.roc`` and ``stats.calibration`` define each metric once for both, in two summations: training
sums integers, so that its figures depend neither on the order of the images nor on how processes share them; audits sum
floating-point numbers as scikit-learn does. Both are recorded in full precision, so neither can replace the other
without changing the last digits of what is stored. They agree to 1e-8.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_scores, is_positive
from bincam.display import counted
from bincam.errors import InputError
from bincam.stats.calibration import bin_sums, ece_and_brier, probability
from bincam.stats.class_counts import ClassCounts
from bincam.stats.outcomes import basic_rate, is_usable
from bincam.stats.roc import auroc_and_precision

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """The counts that all metrics but AUROC and average precision follow from. Those of two parts add up with ``+``.

    Attributes:
        tp: ``(A,)``, positives predicted positive.
        fp: ``(A,)``, negatives predicted positive.
        fn: ``(A,)``, positives predicted negative.
        tn: ``(A,)``, negatives predicted negative.
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
    """Metrics of a split: one value per attribute, ``(A,)``; NaN where undefined.

    Probabilities are not prior-corrected: a shift that the training loss gave to the logits remains.

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
        ece: Expected calibration error over 15 bins of equal width: the mean over images of the distance between the
            share of positives in their bin and its mean probability. Chance adds to it, more so the fewer the images
            (see ``calibration_error``), so compare it on the same images only.

    Example:
        ``evaluate`` computes them.

        >>> from bincam.stats import ClassCounts, evaluate
        >>> counts = ClassCounts(("Bald", "Young"), [8, 2], [2, 8])
        >>> metrics = evaluate([[-1.0, 2.0], [0.5, 1.0]], [[0, 1], [1, float("nan")]], 0.0, counts)
        >>> metrics.fpr, metrics.mean("fpr")
        (array([ 0., nan]), 0.0)
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
        """Compute the mean of a metric over the attributes where it is defined; NaN if there is none."""
        values: Floats = getattr(self, name)
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if defined.size else float("nan")


def count(logits: ArrayLike, labels: ArrayLike, threshold: ArrayLike, head: str = "logits") -> Counts:
    """Count the outcomes of decisions, and probabilities by bin.

    Args:
        logits: ``(N, A)``, z.
        labels: ``(N, A)``: 1, 0 or NaN.
        threshold: ``(A,)`` or one number, t; a logit at its threshold is positive.
        head: Of the model's card; it decides how a logit becomes a probability.

    Raises:
        InputError: Shapes differ, or a label is not 0, 1 or NaN.

    Example:
        >>> first = count([[2.0], [-1.0], [0.0]], [[1], [1], [0]], 0.0)
        >>> second = count([[float("nan")]], [[1]], 0.0)
        >>> total = first + second
        >>> [int(n[0]) for n in (total.tp, total.fp, total.fn, total.tn, total.undefined)]
        [1, 1, 1, 0, 1]
    """
    z, y = check_scores(logits, labels)
    defined = is_usable(y, z)
    predicted = is_positive(z, np.asarray(threshold, np.float64))
    positive, negative = defined & (y == 1), defined & (y == 0)
    images, positives, probabilities, squares = bin_sums(
        probability(np.where(defined, z, 0.0), head), positive, defined
    )
    return Counts(
        tp=(predicted & positive).sum(0),
        fp=(predicted & negative).sum(0),
        fn=(~predicted & positive).sum(0),
        tn=(~predicted & negative).sum(0),
        undefined=(~np.isnan(y) & ~defined).sum(0),
        bin_images=images,
        bin_positives=positives,
        bin_probability=probabilities,
        squares=squares,
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
        threshold: ``(A,)`` or one number, in logit units.
        counts: Of the training data; they determine which class is the minority. On a tie it is the positive.
        head: Of the model's card; it decides how a logit becomes a probability.

    Raises:
        InputError: Shapes or numbers of attributes differ, or a label is not 0, 1 or NaN.

    Example:
        >>> from bincam.stats import ClassCounts
        >>> counts = ClassCounts(("Bald",), [90], [10])
        >>> logits, labels = [[-2.0], [-1.0], [1.5], [-0.5]], [[0], [0], [1], [1]]
        >>> metrics = evaluate(logits, labels, 0.0, counts)
        >>> metrics.minority_error, metrics.majority_error, metrics.auroc
        (array([0.5]), array([0.]), array([1.]))
        >>> metrics.brier.round(3), metrics.ece.round(3)
        (array([0.127]), array([0.298]))
    """
    z, y = check_scores(logits, labels)
    if z.shape[1] != len(counts.attributes):
        raise InputError(
            f"logits have {counted(z.shape[1], 'attribute')}, and the training counts {len(counts.attributes)}"
        )
    answered = count(z, y, threshold, head)
    positives, negatives = answered.tp + answered.fn, answered.tn + answered.fp
    n = positives + negatives
    fnr, fpr = _share(answered.fn, positives), _share(answered.fp, negatives)
    rare = counts.minority_positive
    accuracy = _share(answered.tp + answered.tn, n)
    baseline = _share(np.where(rare, negatives, positives), n)
    wrong = 1 - baseline
    auroc, ap = _ordered(z, y)
    ece, brier = ece_and_brier(answered.bin_images, answered.bin_positives, answered.bin_probability, answered.squares)
    return Metrics(
        n=n,
        undefined=answered.undefined,
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
        brier=brier,
        ece=ece,
    )


def _class_error(rate: str, minority_positive: NDArray[np.bool_], fnr: Floats, fpr: Floats) -> Floats:
    """``(A,)``: the error of the minority or the majority class, which is ``fnr`` or ``fpr`` by its side."""
    names = np.array([basic_rate(rate, 1 if positive else -1) for positive in minority_positive])
    return np.where(names == "fnr", fnr, fpr)


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    """``part / whole``, NaN where the whole is 0."""
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
