"""Gradients of many logits with respect to one tensor, in chunks of bounded memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from bincam.cam.requests.combination import Combination
from bincam.errors import InputError

BUDGET = 128 * 2**20
"""Maximum bytes of one chunk of gradients if the caller sets no chunk; a method needs up to three times as much."""


def choose_chunk(leaf: Tensor, count: int, chunk: int | None) -> int:
    """Choose the number of attributes that are differentiated together.

    Args:
        leaf: Tensor with respect to which is differentiated, ``(B, ...)``.
        count: A.
        chunk: The caller's choice, or None.

    Raises:
        InputError: ``chunk`` is below 1.
    """
    if chunk is None:
        return max(1, min(count, BUDGET // max(1, leaf.numel() * leaf.element_size())))
    if chunk < 1:
        raise InputError(f"chunk={chunk}; expected at least 1 attribute")
    return min(chunk, count)


def gradients(scores: Tensor, leaf: Tensor, columns: Combination, chunk: int) -> Iterator[tuple[slice, Tensor]]:
    """Differentiate some combinations of the scores, with the weights of alternatives held fixed.

    In evaluation mode no image depends on the others of its batch, so the gradient of a column's sum over the batch
    contains every image's own gradient. Weights held fixed are the derivatives of log-odds, so this is their gradient.

    Args:
        scores: ``(B, all outputs)``, on a graph from ``leaf``.
        leaf: ``(B, ...)``.
        columns: The A combinations to differentiate.
        chunk: Number of combinations differentiated together.

    Yields:
        A slice of the combinations and dz/dleaf, ``(B, chunk, ...)``.
    """
    for begin in range(0, len(columns.owners), chunk):
        rows = _rows(scores, leaf, columns.part(slice(begin, begin + chunk)))
        yield slice(begin, begin + rows.shape[1]), rows


def _rows(logits: Tensor, leaf: Tensor, columns: Combination) -> Tensor:
    """Compute dz/dleaf of a few combinations, ``(B, columns, ...)``."""
    if not logits.requires_grad:  # nothing of the leaf reaches the logits
        return torch.zeros_like(leaf).unsqueeze(1).expand(-1, len(columns.owners), *leaf.shape[1:])
    directions = columns.directions().transpose(0, 1).to(logits)  # (columns, B, outputs)
    if leaf.ndim == 2 or leaf[0, 0].numel() == 1:
        # Above a pooled vector, starting a backward pass costs more than running it, so all columns share one.
        with contextlib.suppress(RuntimeError):  # a custom autograd function may lack a batching rule
            (rows,) = torch.autograd.grad(
                logits, leaf, directions, retain_graph=True, allow_unused=True, is_grads_batched=True
            )
            if rows is not None:
                return rows.transpose(0, 1)
    return torch.stack([_row(logits, leaf, direction) for direction in directions], 1)


def _row(logits: Tensor, leaf: Tensor, direction: Tensor) -> Tensor:
    (row,) = torch.autograd.grad(logits, leaf, direction, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if row is None else row
