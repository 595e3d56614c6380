"""Conversion of a model's raw output to logits (B, A), by the meaning stated on its card."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from bincam.errors import InputError

Head = Literal["logits", "two_logits", "probabilities", "margin"]
"""``logits``: z. ``two_logits``: a negative and a positive score per attribute, z = s1 - s0. ``probabilities``: the
model ends in a sigmoid, z = log(p / (1 - p)), or in a softmax over two classes, z = log p1 - log p0. ``margin``:
trained by regression on -1 and +1, z is the margin. ``logits_of`` converts each of them to logits."""

HEADS: tuple[Head, ...] = get_args(Head)


_LOGITS = {
    False: "scores before a sigmoid are head='logits'",
    True: "scores before a softmax are head='two_logits'",
}


def select_output(raw: Any, output: str | int | None) -> Tensor:
    """Select the output tensor from the value that a model returns.

    Args:
        raw: A tensor, or a tuple, list, mapping or object with attributes that contains it.
        output: Index, key or name, or None if the model returns a single tensor.

    Returns:
        The tensor.

    Raises:
        InputError: ``output`` is missing, or there is no such entry.
    """
    contents = _contents(raw)
    if output is None:
        if isinstance(raw, Tensor):
            return raw
        if contents is None:
            raise InputError(f"the model returns a {type(raw).__name__}, which contains no tensor; its forward has to")
        raise InputError(
            f"the model returns a {type(raw).__name__} ({contents}), not a tensor; select one with output= (--output)"
        )
    if isinstance(raw, Tensor):
        raise InputError(f"output={output!r}, but the model returns a single tensor; omit output")
    try:
        named = isinstance(output, str) and not hasattr(raw, "keys")
        chosen = getattr(raw, str(output)) if named else raw[output]
    except (KeyError, IndexError, TypeError, AttributeError):
        raise InputError(
            f"output={output!r} is not in the value that the model returns: {contents or type(raw).__name__}"
        ) from None
    if not isinstance(chosen, Tensor):
        raise InputError(f"output={output!r} is a {type(chosen).__name__}, not a tensor")
    return chosen


def _contents(raw: Any) -> Any:
    """What can be selected from a value, for a message; None if it contains nothing."""
    if hasattr(raw, "keys"):
        return list(raw)
    if hasattr(raw, "_fields"):  # a named tuple
        return list(raw._fields)
    if isinstance(raw, (tuple, list)):
        return f"{len(raw)} entries"
    return [name for name, value in getattr(raw, "__dict__", {}).items() if isinstance(value, Tensor)] or None


def logits_of(raw: Tensor, head: Head, count: int, batch: int) -> Tensor:
    """Convert a model's raw output to logits z.

    Args:
        raw: ``(B,)`` or ``(B, 1)`` for one attribute, else ``(B, A)``; for ``two_logits`` ``(B, A, 2)``, or ``(B, 2)``
            for one attribute. ``probabilities`` takes these pairs too, after a softmax.
        head: Meaning of the raw output.
        count: A.
        batch: B.

    Returns:
        ``(B, A)``.

    Raises:
        InputError: An unknown head, integers, a shape that contradicts the head, or pairs of probabilities that do not
            sum to 1.

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
    paired = {(batch, count, 2), *({(batch, 2)} if count == 1 else ())}
    if head == "two_logits":
        if shape not in paired:
            raise InputError(
                f"the model's output has shape {shape}, but head='two_logits' with {count} attributes means "
                f"{' or '.join(map(str, sorted(paired)))}"
            )
        return contrast(raw.reshape(batch, count, 2))
    if head == "probabilities" and shape in paired:
        _check_pairs(raw)
        return contrast(raw.reshape(batch, count, 2).log())
    expected = {(batch, count), *({(batch,)} if count == 1 else ())}
    if shape not in expected:
        raise InputError(
            f"the model's output has shape {shape}, but head={head!r} with {count} attributes means "
            f"{' or '.join(map(str, sorted(expected, key=len)))}"
            + ("; head='two_logits' takes the last axis as (negative, positive)" if shape in paired else "")
        )
    z = raw.reshape(batch, count)
    return torch.logit(z) if head == "probabilities" else z


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


def _check_pairs(raw: Tensor) -> None:
    """Refuse pairs that are not the two probabilities of one attribute.

    Raises:
        InputError: A pair does not sum to 1.
    """
    if torch.compiler.is_compiling():
        return
    with torch._C.DisableTorchFunction():  # noqa: SLF001  # a trace would take it for a computation with the features
        sums = raw.detach().float().reshape(-1, 2).sum(-1)
        wrong = int(((sums - 1).abs() > max(1e-3, 4 * torch.finfo(raw.dtype).eps)).sum())
    if wrong:
        raise InputError(
            f"head='probabilities', but {wrong} of {len(sums)} pairs do not sum to 1 (the first sums to "
            f"{sums[0].item():.3g}): scores before a softmax are head='two_logits'; outputs of separate sigmoids are "
            "attributes of their own, in shape (B, names)"
        )


def check_probabilities(raw: Tensor, *, paired: bool = False) -> None:
    """Refuse probabilities that have no finite logit.

    Args:
        raw: Any shape.
        paired: The last axis has the probabilities of two classes.

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
            f"(from {raw.min().item():.3g} to {raw.max().item():.3g}); {_LOGITS[paired]}"
        )
    if paired and (zero := int((raw == 0).sum())):
        raise InputError(
            f"{zero} of {raw.numel()} probabilities are exactly 0 in {raw.dtype}, so their logits are infinite; use "
            "the model without its final softmax, and head='two_logits'"
        )
    saturated = int(((raw == 0) | (raw == 1)).sum()) if not paired else 0
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
            f"head='probabilities', but {outside} of {logits.numel()} outputs are outside [0, 1]; scores before a "
            "sigmoid are head='logits', pairs before a softmax head='two_logits'"
        )
    if saturated:
        raise InputError(
            f"{saturated} of {logits.numel()} probabilities are exactly 0 or 1, so their logits are infinite; use the "
            "model without its final sigmoid, and head='logits' (after a softmax over pairs: head='two_logits')"
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
