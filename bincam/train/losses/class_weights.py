"""Class weights: pure functions of the numbers of negatives and positives in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bincam.errors import InputError, nearest
from bincam.stats.class_counts import ClassCounts


class ClassWeights(NamedTuple):
    """Weights of the two classes, each ``(A,)`` float64."""

    negative: Tensor
    positive: Tensor


def ones(counts: ClassCounts) -> ClassWeights:
    """Weigh both classes 1.

    Example:
        >>> from bincam.train import ClassCounts
        >>> ones(ClassCounts(("Bald",), [90], [10]))
        ClassWeights(negative=tensor([1.], dtype=torch.float64), positive=tensor([1.], dtype=torch.float64))
    """
    weight = torch.ones(len(counts.attributes), dtype=torch.float64)
    return ClassWeights(weight, weight.clone())


def pos_weight(counts: ClassCounts, *, max_weight: float | None = None) -> ClassWeights:
    """Compute w- = 1, w+ = negatives / positives: torch's ``pos_weight``.

    Args:
        counts: Of the training split.
        max_weight: Clips w+ to this and its inverse, so that a class of a few images does not dominate.

    Raises:
        InputError: An attribute has a single class, or ``max_weight`` is below 1.

    Example:
        >>> from bincam.train import ClassCounts
        >>> pos_weight(ClassCounts(("Bald", "Young"), [90, 20], [10, 80])).positive
        tensor([9.0000, 0.2500], dtype=torch.float64)
    """
    counts.require_both("pos_weight")
    negatives, positives = _tensors(counts)
    weight = negatives / positives
    if max_weight is not None:
        if not max_weight >= 1:
            raise InputError(f"max_weight={max_weight}: expected a number of at least 1")
        weight = weight.clamp(1 / max_weight, max_weight)
    return ClassWeights(torch.ones_like(weight), weight)


def moon(counts: ClassCounts, *, target_rate: float | Mapping[str, float] = 0.5) -> ClassWeights:
    """Compute MOON's weights: the weighted training data have the target's share of positives; no weight is above 1.

    Rudd, Günther, Boult 2016 (MOON, ECCV): with source rates S+ and S- and target rates T+ and T-, the class that is
    under-represented in the source (T > S, *rare*) weighs 1 and the other (S_rare T_common) / (S_common T_rare). At the
    target rate 1/2 the minority weighs 1 and the majority S_min / S_maj. The weighted odds are the target's:
    w+ S+ / (w- S-) = T+ / T-.

    Args:
        counts: Of the training split.
        target_rate: Desired share of positives, between 0 and 1; a mapping gives it by attribute, 1/2 for the rest.

    Raises:
        InputError: An attribute has a single class, a rate is not between 0 and 1, or a rate names no attribute.

    Example:
        >>> from bincam.train import ClassCounts
        >>> moon(ClassCounts(("Bald",), [90], [10]))
        ClassWeights(negative=tensor([0.1111], dtype=torch.float64), positive=tensor([1.], dtype=torch.float64))
    """
    counts.require_both("moon")
    if isinstance(target_rate, Mapping):
        for name in target_rate:
            if name not in counts.attributes:
                raise InputError(f"target_rate: unknown attribute {name!r}{nearest(name, counts.attributes)}")
        rates = [target_rate.get(name, 0.5) for name in counts.attributes]
    else:
        rates = [target_rate] * len(counts.attributes)
    for name, rate in zip(counts.attributes, rates, strict=True):
        if not 0 < rate < 1:
            raise InputError(f"target_rate of {name!r} is {rate}; expected a share of positives between 0 and 1")
    negatives, positives = _tensors(counts)
    target = torch.tensor(rates, dtype=torch.float64)
    ratio = target / (1 - target) * (negatives / positives)  # w+ / w-
    return ClassWeights((1 / ratio).clamp(max=1), ratio.clamp(max=1))


def effective_number(counts: ClassCounts, *, beta: float = 0.9999) -> ClassWeights:
    """Compute weights inverse to the effective number of images: w = (1 - β) / (1 - β^n), scaled to the sum 2.

    Cui, Jia, Lin, Song, Belongie 2019 (CVPR). The paper's C classes are here the two classes of an attribute, so each
    attribute's pair sums to 2. β = 0 gives 1 and 1; β → 1 gives the inverse frequencies.

    Args:
        counts: Of the training split.
        beta: β in [0, 1).

    Raises:
        InputError: An attribute has a single class, or β is out of bounds.

    Example:
        >>> from bincam.train import ClassCounts
        >>> weights = effective_number(ClassCounts(("Bald",), [9000], [1000]))
        >>> [round(float(weight), 3) for weight in (weights.negative, weights.positive)]
        [0.276, 1.724]
    """
    counts.require_both("effective_number")
    if not 0 <= beta < 1:
        raise InputError(f"beta={beta}: expected a number in [0, 1)")
    each = [1 / -torch.expm1(n * float(np.log(beta))) if beta else torch.ones_like(n) for n in _tensors(counts)]
    scale = 2 / (each[0] + each[1])
    return ClassWeights(each[0] * scale, each[1] * scale)


def log_odds(counts: ClassCounts) -> Tensor:
    """Compute log(positives / negatives) in training, ``(A,)`` float64.

    Raises:
        InputError: An attribute has a single class.

    Example:
        >>> from bincam.train import ClassCounts
        >>> log_odds(ClassCounts(("Bald",), [90], [10]))
        tensor([-2.1972], dtype=torch.float64)
    """
    counts.require_both("the prior's log-odds")
    negatives, positives = _tensors(counts)
    return torch.log(positives / negatives)


def _tensors(counts: ClassCounts) -> tuple[Tensor, Tensor]:
    return torch.tensor(counts.negatives, dtype=torch.float64), torch.tensor(counts.positives, dtype=torch.float64)
