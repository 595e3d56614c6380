"""The entropy of the mean prediction over views, which test-time adaptation lowers."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from bincam.models.log_odds import Columns, others_of


def marginal_entropies(scores: Tensor, sets: Columns) -> Tensor:
    """Compute the entropy of the mean over views of every question's probabilities.

    Zhang et al. (MEMO, NeurIPS 2022, arXiv 2110.09506), eq. 2: with p̄ the mean of the views' softmax, -Σ p̄ log p̄. A
    set of outputs is one question with one softmax. A yes-or-no attribute is a question of two answers with
    probabilities σ(z) and σ(-z); its binary entropy is ours. All in logarithms, as in the published code, so that
    saturated views have finite gradients.

    Args:
        scores: ``(K, A)``, raw scores of K views of one image.
        sets: Columns of each set.

    Returns:
        ``(Q,)`` in nats: first the attributes that are in no set, in their order, then the sets.

    Example:
        Two views that contradict one another, and two that are unsure alike, have the same mean:

        >>> import torch
        >>> scores = torch.tensor([[9.0, 0.0], [-9.0, 0.0]])
        >>> marginal_entropies(scores, {})
        tensor([0.6931, 0.6931])
    """
    alone = scores[:, others_of(scores.shape[1], sets)]
    both = torch.stack([logsigmoid(alone), logsigmoid(-alone)], -1)  # (K, attributes, 2)
    of_sets = [_entropy(scores[:, list(columns)].log_softmax(-1)[:, None]) for columns in sets.values()]
    return torch.cat([_entropy(both), *of_sets])


def _entropy(log_probabilities: Tensor) -> Tensor:
    """Of views × questions × answers, the entropy of every question's mean over views."""
    mean = log_probabilities.logsumexp(0) - math.log(len(log_probabilities))
    mean = mean.clamp(min=torch.finfo(mean.dtype).min)  # an answer with no probability in any view adds nothing
    return -(mean * mean.exp()).sum(-1)


def question_columns(outputs: int, sets: Columns) -> list[list[int]]:
    """List the columns of every question, in the order of ``marginal_entropies``.

    >>> question_columns(3, {"hair": (0, 2)})
    [[1], [0, 2]]
    """
    return [[column] for column in others_of(outputs, sets)] + [list(columns) for columns in sets.values()]
