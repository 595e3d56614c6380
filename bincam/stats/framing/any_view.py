"""Oracles over views: some view is right, beside what that is worth without a model that knows anything.

*With the right zoom* a network classifies almost every image of ImageNet (Taesiri et al., NeurIPS 2023, arXiv
2304.05538). Of a yes-or-no attribute this is void: whatever makes a decision flip makes some view right and some view
wrong. The wrong-oracle and the null beside it, both ours, say so in numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.framing.answers import check_answers, rightness, said
from bincam.stats.framing.averages import mean, share


@dataclass(frozen=True)
class Oracles:
    """Accuracies of one question over V views.

    Attributes:
        plain: Of the plain prediction; undefined where none was given.
        best_view: Of the single view that is right most often, chosen on the same images, so it is a little too high.
        view: Index of that view.
        right: Share of images of which some view is right.
        wrong: Yes-or-no: share of images of which some view is wrong. Of a set: share of images of which some view
            gives a wrong answer that is named before, the true answer of another image.
        null: What ``right`` would be if labels were drawn independently of the images, as frequent as they are.
        excess: ``right`` less ``null``: what the oracle owes to the images.
        unlabelled: Images without a true answer, which are left out.
        undefined_views: Views of the others without an answer; they are neither right nor wrong.
    """

    plain: Estimate
    best_view: Estimate
    view: int
    right: Estimate
    wrong: Estimate
    null: Estimate
    excess: Estimate
    unlabelled: int
    undefined_views: int


def oracles(
    answers: ArrayLike,
    true: ArrayLike,
    clusters: Clusters,
    *,
    count: int = 2,
    plain: ArrayLike | None = None,
    level: float = LEVEL,
) -> Oracles:
    """Estimate the oracles of one question.

    With π_k the share of images whose true answer is k, and s_k the share of images of which some view says k, the null
    is Σ_k π_k s_k. For two answers it is the share of images with both decisions, plus the share of always-yes times
    the prevalence, plus the share of always-no times one less the prevalence. The wrong-oracle of an image with the
    true answer y is Σ_{k≠y} π_k/(1 - π_y) over the answers k that some view gives: the expectation over another image's
    label, with no draw. For two answers it is 1 where some view is wrong.

    Intervals of the null and the excess contain that π is estimated from the same images.

    Args:
        answers: ``(N, V)``, from ``attribute_answers`` or ``set_answers``.
        true: ``(N,)``.
        clusters: Clusters of the N images.
        count: K, the number of possible answers.
        plain: ``(N,)``: answers of the plain prediction.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or an answer is out of range.

    Example:
        Decisions that flip at random: the oracle is perfect, and worth nothing.

        >>> import numpy as np
        >>> from bincam.stats import Clusters, oracles
        >>> rng = np.random.default_rng(0)
        >>> result = oracles(rng.integers(2, size=(200, 54)), rng.integers(2, size=200), Clusters.of([""] * 200))
        >>> result.right.value, result.wrong.value, result.null.value, round(result.excess.value, 3)
        (1.0, 1.0, 1.0, 0.0)
    """
    given, known = check_answers(answers, true, count)
    labelled = known >= 0
    right = rightness(given, known)
    some = said(given, count)
    answered = labelled & some.any(1)
    prevalence = np.bincount(known[answered], minlength=count) / max(int(answered.sum()), 1)
    own = np.where(answered, known, 0)
    hit = np.where(answered, some[np.arange(len(own)), own], np.nan)
    expected = np.where(answered, some @ prevalence, np.nan)
    if count == 2:  # the wrong answer is known, even where all labels are the same
        others = np.where(answered, some[np.arange(len(own)), 1 - own], np.nan)
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            others = np.where(answered, (expected - hit * prevalence[own]) / (1 - prevalence[own]), np.nan)
    if answered.any():
        frequent = some[answered].mean(0)
        null = float(expected[answered].mean())
        # The influence of an image's label on the prevalence, added to that of its answers; its mean is 0.
        of_label = np.where(answered, frequent[own] - null, np.nan)
    else:
        of_label = expected
    best = _best(right)
    first = None if plain is None else np.asarray(plain)
    if first is not None and first.shape != known.shape:
        raise InputError(f"expected plain answers {known.shape}, one of every image, got {first.shape}")
    return Oracles(
        plain=undefined("wilson") if first is None else share(rightness(first, known), clusters, level),
        best_view=share(right[:, best], clusters, level),
        view=best,
        right=share(hit, clusters, level),
        wrong=share(others, clusters, level) if count == 2 else mean(others, clusters, (0.0, 1.0), level),
        null=mean(expected + of_label, clusters, (0.0, 1.0), level),
        excess=mean(hit - expected - of_label, clusters, (-1.0, 1.0), level),
        unlabelled=int((~labelled).sum()),
        undefined_views=int((given[labelled] < 0).sum()),
    )


def _best(right: NDArray[np.float32]) -> int:
    """The view that is right in most images; one without an answer counts as not right."""
    return int(np.nansum(right, axis=0).argmax())
