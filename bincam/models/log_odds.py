"""Log-odds of outputs of which exactly one is true: their conversion from raw scores, and the decision among them.

With r the raw scores and G a set of K outputs, z_a = r_a - log Σ_{b≠a} exp r_b, so that σ(z_a) is the softmax
probability of a. The weights of the alternatives, π = softmax of r over G without a, are the derivatives of the
subtracted term, and z_a = r_a - Σ_b π_b r_b - H(π) with the entropy H. All functions take sets as columns,
``bincam.one_of.set_columns``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from bincam.decision import is_positive

Columns = Mapping[str, Sequence[int]]
"""Name of a set to the columns of its outputs."""

DENSE = 64
"""Number of outputs up to which the weights of all alternatives are written out, output by output."""


def contrast(scores: Tensor) -> Tensor:
    """Compute the log-odds of the second of two outputs that exclude one another.

    The score of an output against all others is r_a - log Σ_{b≠a} exp r_b, for two r_1 - r_0. What is added to both,
    such as the normaliser of a log-softmax, cancels.

    Args:
        scores: ``(..., 2)``, logits or logarithms of probabilities.

    Returns:
        ``(...)``.
    """
    return scores[..., 1] - scores[..., 0]


def set_log_odds(scores: Tensor) -> Tensor:
    """Compute the log-odds of each output of one set against all others of it.

    Nothing cancels, however close to 0 or 1 a probability is: of the output with the highest score, the others are
    summed without it; of every other output, the sum without it is at least as large as the term that is left out.

    Args:
        scores: ``(..., K)``, raw scores r; what is common to all of them has no effect.

    Returns:
        ``(..., K)``; NaN for the whole set where it is ``undecidable``.

    >>> set_log_odds(torch.tensor([[3.0, 1.0]]))
    tensor([[ 2., -2.]])
    >>> odds = set_log_odds(torch.tensor([[0.0, 0.0, 0.0]]))
    >>> torch.sigmoid(odds)
    tensor([[0.3333, 0.3333, 0.3333]])
    """
    if scores.shape[-1] == 2:  # infinite scores that are equal have no difference: NaN
        z = contrast(scores)
        return torch.stack([-z, z], -1)
    highest = scores.detach().amax(-1, keepdim=True)
    level = torch.where(highest.isfinite(), highest, torch.zeros_like(highest))
    terms = (scores - level).exp()
    first = first_of_highest(scores)
    others = terms.sum(-1, keepdim=True) - terms
    # Of the highest, the sum is replaced by 1 here, so that no gradient of an infinite logarithm is multiplied by 0.
    without = level + torch.where(first, torch.ones_like(others), others).log()
    alone = scores.masked_fill(first, -torch.inf).logsumexp(-1, keepdim=True)
    z = scores - torch.where(first, alone, without)
    return torch.where(undecidable(scores), torch.nan, z)


def centred(scores: Tensor, sets: Columns) -> Tensor:
    """Subtract from the scores of each set that of its first output, so that what they have in common cancels.

    The normaliser of a softmax is common to its scores: r - r_0 is affine in the features where log p is not. Log-odds
    and differences of scores remain the same.

    Args:
        scores: ``(B, A)``.
        sets: Columns of each set.

    Returns:
        ``(B, A)``.

    >>> centred(torch.tensor([[3.0, 1.0, 0.5]]), {"hair": (0, 1)})
    tensor([[ 0.0000, -2.0000,  0.5000]])
    """
    return rearranged(scores, sets, lambda _, members: members - members[:, :1])


def first_of_highest(scores: Tensor) -> Tensor:
    """Mark the output of one set with the highest score, the first of equals.

    Args:
        scores: ``(..., K)``.

    Returns:
        Booleans of the same shape, one of which is True along the last axis; none where it is ``undecidable``.

    >>> first_of_highest(torch.tensor([[1.0, 2.0, 2.0], [1.0, float("nan"), 2.0]])).tolist()
    [[False, True, False], [False, False, False]]
    """
    at_highest = scores.detach() == scores.detach().amax(-1, keepdim=True)
    return at_highest & (at_highest.cumsum(-1) == 1) & ~undecidable(scores)


def undecidable(scores: Tensor) -> Tensor:
    """Mark scores of one set that leave its highest unknown.

    A score is NaN, or several share an infinite highest one: all are -inf, or two are +inf. Equal finite scores have
    equal probabilities; infinite ones have none. A single +inf, or -inf beside finite scores, decides.

    Args:
        scores: ``(..., K)``.

    Returns:
        Booleans ``(..., 1)``.

    >>> inf = float("inf")
    >>> undecidable(torch.tensor([[-inf, -inf], [inf, inf], [-inf, 0.0], [inf, 0.0], [0.0, 0.0]]))[:, 0].tolist()
    [True, True, False, False, False]
    """
    values = scores.detach()
    highest = values.amax(-1, keepdim=True)  # NaN where one is
    shared = (values == highest).sum(-1, keepdim=True) > 1
    return highest.isnan() | (highest.isinf() & shared)


def log_odds(scores: Tensor, sets: Columns) -> Tensor:
    """Convert raw scores to logits z: log-odds within each set, and the scores themselves elsewhere.

    Args:
        scores: ``(B, A)``, r of all outputs.
        sets: Columns of each set.

    Returns:
        ``(B, A)``, z. With p a softmax probability, log p is ``logsigmoid(z)``, and the cross-entropy of the true
        output is ``softplus(-z)``.

    Example:
        Two outputs that exclude one another, and an attribute of its own:

        >>> import torch
        >>> from bincam.models.log_odds import log_odds
        >>> log_odds(torch.tensor([[2.0, 0.5, -1.0]]), {"hair": (0, 2)})
        tensor([[ 3.0000,  0.5000, -3.0000]])
    """
    return rearranged(scores, sets, lambda _, members: set_log_odds(members))


def rearranged(
    scores: Tensor,
    sets: Columns,
    convert: Callable[[str, Tensor], Tensor],
    elsewhere: Callable[[Tensor], Tensor] = lambda rest: rest,
) -> Tensor:
    """Apply a function to the columns of each set, and another to all other columns.

    Args:
        scores: ``(B, A, ...)``.
        sets: Columns of each set.
        convert: Function of a set's name and its columns' values that returns as many.
        elsewhere: Function of the values of the other columns.
    """
    if not sets:
        return scores
    rest = others_of(scores.shape[1], sets)
    order = [*rest, *(column for columns in sets.values() for column in columns)]
    parts = [elsewhere(scores[:, rest])] if rest else []
    parts += [convert(name, scores[:, list(columns)]) for name, columns in sets.items()]
    joined = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
    if order == sorted(order):
        return joined
    return joined[:, [order.index(column) for column in range(len(order))]]


def others_of(count: int, sets: Columns) -> list[int]:
    """List the columns of the outputs that are in no set.

    >>> others_of(4, {"hair": (0, 2)})
    [1, 3]
    """
    inside = {column for columns in sets.values() for column in columns}
    return [column for column in range(count) if column not in inside]


def decide(scores: Tensor, sets: Columns, threshold: Tensor | float = 0.0) -> Tensor:
    """Decide every output: of a set, the output with the highest score, the first of equals; elsewhere z >= t.

    Raw scores and log-odds have the same order within a set, but log-odds are rounded, and scores that differ by their
    last digit can have equal log-odds. Pass raw scores where they are known.

    Args:
        scores: ``(B, A)``, raw scores or logits of all outputs.
        sets: Columns of each set.
        threshold: t, a number or ``(A,)``; without effect on outputs in sets.

    Returns:
        Booleans ``(B, A)``; False for a whole set where it is ``undecidable``.

    Example:
        No output of the first three needs more than one half to be taken:

        >>> import torch
        >>> from bincam.models.log_odds import decide
        >>> decide(torch.tensor([[-1.0, -0.5, -2.0, 0.5]]), {"hair": (0, 1, 2)}).tolist()
        [[False, True, False, True]]
    """
    positive: Tensor = is_positive(scores, threshold)
    for columns in sets.values():
        positive[:, list(columns)] = first_of_highest(scores[:, list(columns)])
    return positive


def undefined(scores: Tensor, sets: Columns) -> Tensor:
    """Mark outputs without a decision: their score is NaN, or their set is ``undecidable``.

    Args:
        scores: ``(B, A)``.
        sets: Columns of each set.

    Returns:
        Booleans ``(B, A)``.

    >>> undefined(torch.tensor([[0.0, float("nan"), 1.0]]), {"hair": (0, 1)}).tolist()
    [[True, True, False]]
    """
    if not sets:
        return scores.isnan()
    return rearranged(scores, sets, lambda _, members: undecidable(members).expand_as(members), torch.isnan)


def alternative_weights(scores: Tensor, places: Tensor) -> Tensor:
    """Compute π, the softmax over a set without one of its outputs.

    Args:
        scores: ``(B, K)``, of one set.
        places: Outputs that are left out: their places in the set, ``(k,)`` or ``(B, k)``.

    Returns:
        ``(B, k, K)``, zero at the output itself; each row sums to 1.

    >>> alternative_weights(torch.tensor([[5.0, 1.0, 1.0]]), torch.tensor([0, 1]))
    tensor([[[0.0000, 0.5000, 0.5000],
             [0.9820, 0.0000, 0.0180]]])
    """
    count = scores.shape[1]
    own = torch.nn.functional.one_hot(places, count).bool().expand(len(scores), -1, count)
    return scores[:, None].masked_fill(own, -torch.inf).softmax(-1)


def alternative_means(values: Tensor, scores: Tensor, places: Tensor) -> Tensor:
    """Compute Σ_{b≠a} π_b v_b for some outputs a of a set.

    For many outputs at once it is (Σ_b p_b v_b - p_a v_a) / (1 - p_a) with the softmax p. Where p_a > 1/2, of at most
    one output of an image, this quotient loses digits (in float32 3e-4 at p_a = .9997), and π itself is summed with.

    Args:
        values: ``(B or 1, K, D)``.
        scores: ``(B, K)``, of the set.
        places: Places of the outputs in the set, ``(k,)`` or ``(B, k)``.

    Returns:
        ``(B, k, D)``.
    """
    factor = values[0] if len(values) == 1 else values  # one matrix product for all images
    if places.shape[-1] <= DENSE or places.ndim > 1:
        written_out: Tensor = alternative_weights(scores, places).to(values) @ factor
        return written_out
    shares = scores.softmax(-1).to(values)[..., None]  # (B, K, 1)
    total = shares.transpose(1, 2) @ factor  # (B, 1, D)
    chosen = shares[:, places]  # (B, k, 1)
    means: Tensor = (total - chosen * values[:, places]) / (1 - chosen)
    highest = scores.argmax(-1, keepdim=True)  # (B, 1)
    exact = alternative_weights(scores, highest).to(values) @ factor  # (B, 1, D)
    result: Tensor = torch.where((places == highest)[..., None], exact, means)
    return result


def alternative_entropy(scores: Tensor, places: Tensor) -> Tensor:
    """Compute H(π), the entropy of the weights of the alternatives to some outputs of a set.

    It is 0 for a set of two and log(K - 1) where all alternatives are equal.

    Args:
        scores: ``(B, K)``, of the set.
        places: Places of the outputs in the set, ``(k,)`` or ``(B, k)``.

    Returns:
        ``(B, k)``, at least 0.

    >>> alternative_entropy(torch.zeros(1, 5), torch.tensor([0])).exp()
    tensor([[4.0000]])
    """
    if places.ndim > 1:
        entropy: Tensor = torch.special.entr(alternative_weights(scores, places)).sum(-1)
        return entropy
    parts = [torch.special.entr(alternative_weights(scores, part)).sum(-1) for part in places.split(DENSE)]
    return torch.cat(parts, 1)
