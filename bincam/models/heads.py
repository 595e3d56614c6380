"""Conversion of a model's raw output to raw scores and logits (B, A), by the meaning stated on its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from bincam.display import counted
from bincam.errors import InputError
from bincam.models.log_odds import Columns, contrast, log_odds, others_of, rearranged

Head = Literal["logits", "two_logits", "probabilities", "margin"]
"""``logits``: z. ``two_logits``: a negative and a positive score per attribute, z = s1 - s0. ``probabilities``: the
model ends in a sigmoid, z = log(p / (1 - p)), or in a softmax over two classes, z = log p1 - log p0. ``margin``:
trained by regression on -1 and +1, z is the margin. ``logits_of`` converts each of them to logits. Outputs of a set, of
which exactly one is true, are ``logits``, raw scores before a softmax over the set, or ``probabilities`` after it."""

HEADS: tuple[Head, ...] = get_args(Head)


Output = str | int | Sequence[str | int] | None
"""Index, key or name of the output tensor; several, which are joined in this order; None for a single tensor."""


def select_output(raw: Any, output: Output, head: Head = "logits") -> Tensor:
    """Select the output tensor from the value that a model returns, or join several.

    Args:
        raw: A tensor, or a tuple, list, mapping or object with attributes that contains it.
        output: Index, key or name; several of them for a model with several heads; None if the model returns a single
            tensor.
        head: Meaning of the outputs: of ``two_logits``, a tensor ``(B, 2)`` among several is one attribute.

    Returns:
        The tensor; of several heads ``(B, outputs of all heads)``, or ``(B, A, 2)`` where they are pairs.

    Raises:
        InputError: ``output`` is missing, there is no such entry, or the tensors of several heads cannot be joined.

    Example:
        >>> import torch
        >>> from bincam.models.heads import select_output
        >>> heads = {"race": torch.zeros(4, 7), "gender": torch.zeros(4, 2), "age": torch.zeros(4, 9)}
        >>> select_output(heads, ("race", "gender", "age")).shape
        torch.Size([4, 18])
    """
    if output is None or isinstance(output, (str, int)):
        return _select(raw, output)
    parts = [_head(_select(raw, entry), head) for entry in output]
    shapes = {(part.ndim, part.shape[0], *part.shape[2:]) for part in parts}
    if len(shapes) != 1:
        described = ", ".join(f"{entry!r} {tuple(part.shape)}" for entry, part in zip(output, parts, strict=True))
        raise InputError(f"the outputs of several heads cannot be joined, because their shapes differ: {described}")
    return torch.cat(parts, 1)


def _head(scores: Tensor, head: Head) -> Tensor:
    """The output of one of several heads, ``(B, its outputs)`` or ``(B, its attributes, 2)``."""
    if scores.ndim == 1:
        return scores[:, None]
    return scores[:, None] if head == "two_logits" and scores.ndim == 2 else scores


def _select(raw: Any, output: str | int | None) -> Tensor:
    """Select one tensor, as ``select_output``."""
    contents = _contents(raw)
    if output is None:
        if isinstance(raw, Tensor):
            return raw
        if contents is None:
            raise InputError(f"the model returns a {type(raw).__name__}, which contains no tensor; its forward has to")
        raise InputError(
            f"the model returns a {type(raw).__name__} ({contents}), not a tensor; select one with output= (--output), "
            "or several heads with a list of them"
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


def logits_of(raw: Tensor, head: Head, count: int, batch: int, one_of: Columns | None = None) -> Tensor:
    """Convert a model's raw output to logits z.

    Args:
        raw: ``(B,)`` or ``(B, 1)`` for one attribute, else ``(B, A)``; for ``two_logits`` ``(B, A, 2)``, or ``(B, 2)``
            for one attribute. ``probabilities`` takes these pairs too, after a softmax.
        head: Meaning of the raw output.
        count: A.
        batch: B.
        one_of: Columns of the sets of outputs of which exactly one is true; their logits are log-odds.

    Returns:
        ``(B, A)``.

    Raises:
        InputError: An unknown head, integers, a shape that contradicts the head, pairs of probabilities or
            probabilities of a set that do not sum to 1, or a head that outputs of a set cannot have.

    Example:
        >>> import torch
        >>> from bincam.models.heads import logits_of
        >>> logits_of(torch.tensor([[0.5, 2.0]]), "two_logits", count=1, batch=1)  # (negative, positive)
        tensor([[1.5000]])
        >>> logits_of(torch.tensor([[0.2, 0.3, 0.5]]), "probabilities", count=3, batch=1, one_of={"hair": (0, 1, 2)})
        tensor([[-1.3863, -0.8473,  0.0000]])
    """
    return log_odds(raw_scores(raw, head, count, batch, one_of), one_of or {})


def raw_scores(raw: Tensor, head: Head, count: int, batch: int, one_of: Columns | None = None) -> Tensor:
    """Convert a model's raw output to raw scores r: within a set up to a number that its outputs have in common.

    Of outputs in no set they are the logits z; of a set ``bincam.models.log_odds.log_odds`` converts them to z.

    Args:
        raw: as for ``logits_of``.
        head: Meaning of the raw output; after a softmax over a set, r = log p.
        count: A.
        batch: B.
        one_of: Columns of the sets of outputs of which exactly one is true.

    Returns:
        ``(B, A)``. The cross-entropy of a set is ``torch.nn.functional.cross_entropy`` of its columns.

    Raises:
        InputError: as for ``logits_of``.

    Example:
        >>> import torch
        >>> from bincam.models.heads import raw_scores
        >>> r = raw_scores(torch.tensor([[2.0, -1.0, 0.5]]), "logits", count=3, batch=1, one_of={"hair": (0, 2)})
        >>> torch.nn.functional.cross_entropy(r[:, [0, 2]], torch.tensor([0]))
        tensor(0.2014)
    """
    if head not in HEADS:
        raise InputError(f"head={head!r}; expected one of {', '.join(HEADS)}")
    if one_of:
        check_head(head, one_of)
    if not raw.is_floating_point():
        raise InputError(f"the model's output is {raw.dtype}; expected floating-point scores; are these labels?")
    if raw.is_meta:
        raise InputError("the model's output is on the device 'meta', where tensors have no values; load its weights")
    shape = tuple(raw.shape)
    paired = {(batch, count, 2), *({(batch, 2)} if count == 1 else ())}
    if head == "two_logits":
        if shape not in paired:
            raise InputError(
                f"the model's output has shape {shape}, but head='two_logits' with {counted(count, 'attribute')} means "
                f"{' or '.join(map(str, sorted(paired)))}"
            )
        return contrast(raw.reshape(batch, count, 2))
    if head == "probabilities" and shape in paired and not one_of:
        _check_pairs(raw)
        return contrast(raw.reshape(batch, count, 2).log())
    expected = {(batch, count), *({(batch,)} if count == 1 else ())}
    if shape not in expected:
        raise InputError(
            f"the model's output has shape {shape}, but head={head!r} with {counted(count, 'attribute')} means "
            f"{' or '.join(map(str, sorted(expected, key=len)))}"
            + ("; head='two_logits' takes the last axis as (negative, positive)" if shape in paired else "")
        )
    r = raw.reshape(batch, count)
    if head != "probabilities":
        return r
    if not one_of:
        return torch.logit(r)
    _check_sums(r, one_of)
    return rearranged(r, one_of, lambda _, members: members.log(), torch.logit)


def check_head(head: Head, one_of: Mapping[str, Any]) -> None:
    """Refuse meanings of outputs that exclude sets.

    Raises:
        InputError: The head is ``two_logits`` or ``margin``.
    """
    name = next(iter(one_of))
    if head == "two_logits":
        raise InputError(
            f"head='two_logits' has a pair of scores for each attribute, so its outputs cannot be in set {name!r}; "
            "name both outputs of a pair, and state the pair as a set with head='logits'"
        )
    if head == "margin":
        raise InputError(
            f"head='margin' is a regression of each output on its own, but of set {name!r} exactly one output is true; "
            "omit the set, or use scores before a softmax, head='logits'"
        )


def _check_sums(raw: Tensor, one_of: Columns) -> None:
    """Refuse values that are not the probabilities of sets.

    Raises:
        InputError: Those of a set do not sum to 1; the message has the number of images.
    """
    if torch.compiler.is_compiling():
        return
    for name, columns in one_of.items():
        with torch._C.DisableTorchFunction():  # noqa: SLF001  # a trace would take it for a computation with the features
            sums = raw.detach()[:, list(columns)].float().sum(-1)
            wrong = (sums - 1).abs() > max(1e-3, 4 * torch.finfo(raw.dtype).eps)
            number, first = int(wrong.sum()), sums[wrong][:1].tolist()
        if number:
            raise InputError(
                f"head='probabilities', but those of set {name!r} do not sum to 1 in {number} of {len(sums)} images "
                f"(the first sums to {first[0]:.3g}): scores before a softmax are head='logits'; outputs of separate "
                "sigmoids are attributes of their own, in no set"
            )


def _check_pairs(raw: Tensor) -> None:
    """Refuse pairs that are not the two probabilities of one attribute.

    Raises:
        InputError: A pair does not sum to 1.
    """
    if torch.compiler.is_compiling():
        return
    with torch._C.DisableTorchFunction():  # noqa: SLF001  # a trace would take it for a computation with the features
        sums = raw.detach().float().reshape(-1, 2).sum(-1)
        wrong = (sums - 1).abs() > max(1e-3, 4 * torch.finfo(raw.dtype).eps)
        number, first = int(wrong.sum()), sums[wrong][:1].tolist()
    if number:
        raise InputError(
            f"head='probabilities', but {number} of {len(sums)} pairs do not sum to 1 (the first sums to "
            f"{first[0]:.3g}): scores before a softmax are head='two_logits'; outputs of separate sigmoids are "
            "attributes of their own, in shape (B, names)"
        )


def check_probabilities(raw: Tensor, *, paired: bool = False, one_of: Columns | None = None) -> None:
    """Refuse probabilities that have no finite logit.

    Args:
        raw: Any shape.
        paired: The last axis has the probabilities of two classes.
        one_of: Columns of the sets of outputs of which exactly one is true.

    Raises:
        InputError: Values are NaN, outside [0, 1], or exactly 0 or 1; the message has their count.
    """
    for columns in (one_of or {}).values():
        _check_range(raw[:, list(columns)], "logits", softmax=True)
    rest = raw[:, others_of(raw.shape[1], one_of)] if one_of else raw
    _check_range(rest, "two_logits" if paired else "logits", softmax=paired)


def _check_range(raw: Tensor, before: Head, *, softmax: bool) -> None:
    """Refuse probabilities without a finite logit; ``before`` is the head of the model without its last function."""
    undefined = int(raw.isnan().sum())
    if undefined:
        raise InputError(f"{undefined} of {raw.numel()} probabilities are NaN")
    last = "softmax" if softmax else "sigmoid"
    outside = int(((raw < 0) | (raw > 1)).sum())
    if outside:
        raise InputError(
            f"head='probabilities', but {outside} of {raw.numel()} outputs are outside [0, 1] "
            f"(from {raw.min().item():.3g} to {raw.max().item():.3g}); scores before a {last} are head={before!r}"
        )
    infinite = (raw == 0) if softmax else (raw == 0) | (raw == 1)
    if bool(infinite.any()):
        values = "0" if softmax else "0 or 1"
        raise InputError(
            f"{int(infinite.sum())} of {raw.numel()} probabilities are exactly {values} in {raw.dtype}, so their "
            f"logits are infinite; use the model without its final {last}, and head={before!r}"
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
            "model without its final sigmoid, or softmax over a set, and head='logits' (after a softmax over pairs: "
            "head='two_logits')"
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
