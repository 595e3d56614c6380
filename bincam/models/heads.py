"""Conversion of a model's raw output to logits (B, A), by the meaning stated on its card."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from bincam.errors import InputError

Head = Literal["logits", "two_logits", "probabilities", "margin"]
"""``logits``: z. ``two_logits``: a negative and a positive score per attribute, z = s1 - s0. ``probabilities``: the
model ends in a sigmoid, z = log(p / (1 - p)). ``margin``: trained by regression on -1 and +1, z is the margin.
``logits_of`` converts each of them to logits."""

HEADS: tuple[Head, ...] = get_args(Head)


def select_output(raw: Any, output: str | int | None) -> Tensor:
    """Select the output tensor from the value that a model returns.

    Args:
        raw: A tensor, or a tuple, list or mapping of them.
        output: Index or key, or None if the model returns a single tensor.

    Returns:
        The tensor.

    Raises:
        InputError: ``output`` is missing, or there is no such entry.
    """
    contents = (
        list(raw) if hasattr(raw, "keys") else f"{len(raw)} entries" if isinstance(raw, (tuple, list)) else "opaque"
    )
    if output is None:
        if isinstance(raw, Tensor):
            return raw
        raise InputError(
            f"the model returns a {type(raw).__name__} ({contents}), not a tensor; select one with output="
        )
    if isinstance(raw, Tensor):
        raise InputError(f"output={output!r}, but the model returns a single tensor; omit output")
    try:
        chosen = raw[output]
    except (KeyError, IndexError, TypeError):
        raise InputError(f"output={output!r} is not in the value that the model returns: {contents}") from None
    if not isinstance(chosen, Tensor):
        raise InputError(f"output={output!r} is a {type(chosen).__name__}, not a tensor")
    return chosen


def logits_of(raw: Tensor, head: Head, count: int, batch: int) -> Tensor:
    """Convert a model's raw output to logits z.

    Args:
        raw: ``(B,)`` or ``(B, 1)`` for one attribute, else ``(B, A)``; for ``two_logits`` ``(B, A, 2)``, or ``(B, 2)``
            for one attribute.
        head: Meaning of the raw output.
        count: A.
        batch: B.

    Returns:
        ``(B, A)``.

    Raises:
        InputError: An unknown head, integers, or a shape that contradicts the head.

    Example:
        >>> import torch
        >>> from bincam.models.heads import logits_of
        >>> logits_of(torch.tensor([[0.5, 2.0]]), "two_logits", count=1, batch=1)  # (negative, positive)
        tensor([[1.5000]])
    """
    if head not in HEADS:
        raise InputError(f"head={head!r}; expected one of {', '.join(HEADS)}")
    if not raw.is_floating_point():
        raise InputError(f"the model's output is {raw.dtype}; expected floating-point scores; are these labels?")
    shape = tuple(raw.shape)
    if head == "two_logits":
        expected = {(batch, count, 2), *({(batch, 2)} if count == 1 else ())}
        if shape not in expected:
            raise InputError(
                f"the model's output has shape {shape}, but head='two_logits' with {count} attributes means "
                f"{' or '.join(map(str, sorted(expected)))}"
            )
        pairs = raw.reshape(batch, count, 2)
        return pairs[..., 1] - pairs[..., 0]
    expected = {(batch, count), *({(batch,)} if count == 1 else ())}
    if shape not in expected:
        raise InputError(
            f"the model's output has shape {shape}, but head={head!r} with {count} attributes means "
            f"{' or '.join(map(str, sorted(expected, key=len)))}"
            + ("; head='two_logits' takes the last axis as (negative, positive)" if shape[-1:] == (2,) else "")
        )
    z = raw.reshape(batch, count)
    return torch.logit(z) if head == "probabilities" else z


def check_probabilities(raw: Tensor) -> None:
    """Refuse probabilities that have no finite logit.

    Raises:
        InputError: Values are NaN, outside [0, 1], or exactly 0 or 1; the message has their count.
    """
    undefined = int(raw.isnan().sum())
    if undefined:
        raise InputError(f"{undefined} of {raw.numel()} probabilities are NaN")
    outside = int(((raw < 0) | (raw > 1)).sum())
    if outside:
        raise InputError(
            f"head='probabilities', but {outside} of {raw.numel()} outputs are outside [0, 1] "
            f"(from {raw.min().item():.3g} to {raw.max().item():.3g}); are these logits?"
        )
    saturated = int(((raw == 0) | (raw == 1)).sum())
    if saturated:
        raise InputError(
            f"{saturated} of {raw.numel()} probabilities are exactly 0 or 1 in {raw.dtype}, so their logits are "
            "infinite; use the model without its final sigmoid, and head='logits'"
        )


def check_taken_back(logits: Tensor) -> None:
    """Refuse logits of values outside [0, 1], or of exactly 0 or 1.

    Raises:
        InputError: Logits are NaN (outside [0, 1]) or infinite (exactly 0 or 1); the message has their count.
    """
    outside, saturated = int(logits.isnan().sum()), int(logits.isinf().sum())
    if outside:
        raise InputError(
            f"head='probabilities', but {outside} of {logits.numel()} outputs are outside [0, 1]; are these logits?"
        )
    if saturated:
        raise InputError(
            f"{saturated} of {logits.numel()} probabilities are exactly 0 or 1, so their logits are infinite; use the "
            "model without its final sigmoid, and head='logits'"
        )


def probability(logits: Tensor, head: Head) -> Tensor:
    """Convert logits to probabilities of the positive class.

    Args:
        logits: Any shape.
        head: For ``margin`` the probability is (z + 1)/2 clipped to [0, 1], for every other head σ(z).

    Returns:
        The same shape.
    """
    return ((logits + 1) / 2).clamp(0, 1) if head == "margin" else torch.sigmoid(logits)
