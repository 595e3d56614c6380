"""Class weights: pure functions of how many negatives and positives there are to train on."""

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
    """Both classes weigh 1."""
    weight = torch.ones(len(counts.attributes), dtype=torch.float64)
    return ClassWeights(weight, weight.clone())


def pos_weight(counts: ClassCounts, *, max_weight: float | None = None) -> ClassWeights:
    """w- = 1, w+ = negatives / positives: torch's ``pos_weight``.

    Args:
        counts: Of the training split.
        max_weight: w+ is at most this and at least its inverse, so that a class of a few images does not rule.

    Raises:
        InputError: An attribute has one class only, or ``max_weight`` is below 1.
    """
    counts.require_both("pos_weight")
    negatives, positives = _tensors(counts)
    weight = negatives / positives
    if max_weight is not None:
        if not max_weight >= 1:
            raise InputError(f"max_weight={max_weight}: a largest weight of at least 1")
        weight = weight.clamp(1 / max_weight, max_weight)
    return ClassWeights(torch.ones_like(weight), weight)


def moon(counts: ClassCounts, *, target_rate: float | Mapping[str, float] = 0.5) -> ClassWeights:
    """MOON's weights: the training data, weighted, have the target's share of positives, and no weight is above 1.

    Rudd, Günther, Boult 2016 (MOON, ECCV): with source rates S+ and S- and target rates T+ and T-, a class
    that the source has too little of weighs 1 and the other (S_rare T_common) / (S_common T_rare), where *rare* is the
    class with T > S. At the target rate 1/2 the minority weighs 1 and the majority S_min / S_maj. Weighted odds are the
    target's: w+ S+ / (w- S-) = T+ / T-.

    Args:
        counts: Of the training split.
        target_rate: Share of positives wanted, between 0 and 1; a mapping gives it by attribute, 1/2 for the rest.

    Raises:
        InputError: An attribute has one class only, a rate is not between 0 and 1, or one is given for an unknown name.
    """
    counts.require_both("moon")
    if isinstance(target_rate, Mapping):
        for name in target_rate:
            if name not in counts.attributes:
                raise InputError(f"target_rate names {name!r}{nearest(name, counts.attributes)}")
        rates = [target_rate.get(name, 0.5) for name in counts.attributes]
    else:
        rates = [target_rate] * len(counts.attributes)
    for name, rate in zip(counts.attributes, rates, strict=True):
        if not 0 < rate < 1:
            raise InputError(f"target_rate of {name!r} is {rate}; expected a share of positives between 0 and 1")
    negatives, positives = _tensors(counts)
    wanted = torch.tensor(rates, dtype=torch.float64)
    ratio = wanted / (1 - wanted) * (negatives / positives)  # w+ / w-
    return ClassWeights((1 / ratio).clamp(max=1), ratio.clamp(max=1))


def effective_number(counts: ClassCounts, *, beta: float = 0.9999) -> ClassWeights:
    """Weights inverse to the effective number of images: w = (1 - β) / (1 - β^n), scaled to the sum 2.

    Cui, Jia, Lin, Song, Belongie 2019 (CVPR), whose C classes are here the two of one
    attribute; so each attribute's pair sums to 2. β = 0 gives 1 and 1, β towards 1 the inverse frequencies.

    Args:
        counts: Of the training split.
        beta: β, from 0 up to but not including 1.

    Raises:
        InputError: An attribute has one class only, or β is out of bounds.
    """
    counts.require_both("effective_number")
    if not 0 <= beta < 1:
        raise InputError(f"beta={beta}: from 0 up to but not including 1")
    each = [1 / -torch.expm1(n * float(np.log(beta))) if beta else torch.ones_like(n) for n in _tensors(counts)]
    scale = 2 / (each[0] + each[1])
    return ClassWeights(each[0] * scale, each[1] * scale)


def log_odds(counts: ClassCounts) -> Tensor:
    """log(positives / negatives) in training, ``(A,)`` float64.

    Raises:
        InputError: An attribute has one class only.
    """
    counts.require_both("the prior's log-odds")
    negatives, positives = _tensors(counts)
    return torch.log(positives / negatives)


def _tensors(counts: ClassCounts) -> tuple[Tensor, Tensor]:
    return torch.tensor(counts.negatives, dtype=torch.float64), torch.tensor(counts.positives, dtype=torch.float64)
