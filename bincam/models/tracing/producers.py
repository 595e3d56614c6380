"""Producers of tensors: the recorded call that last determined a tensor's values, also through views and aliases."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

NO_CALL = -1
"""The producer of a tensor that no recorded call made: a parameter, a constant, the images."""


class Producers:
    """The call that last wrote to each tensor.

    A write in place changes every tensor on the same memory, so a logit that is stored by ``out[:, 0] = z`` reaches the
    network's result through ``out``, although the assignment returns nothing. Memory is compared as a whole: a tensor
    that was not part of the write depends on it too, which adds calls to a path and never omits one.

    Example:
        >>> import torch
        >>> producers = Producers()
        >>> logits = torch.zeros(1, 2)
        >>> producers.note(0, [logits])
        >>> producers.note(1, [logits[:, 0]], written=True)  # a view, written to
        >>> producers.of(logits)
        1
    """

    def __init__(self) -> None:
        self._made: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._alive: list[Tensor] = []  # the id of a freed tensor, and its memory, would be reused

    def of(self, tensor: Tensor) -> int:
        """The call that determined the tensor's present values, or ``NO_CALL``."""
        made = self._made.get(id(tensor), NO_CALL)
        memory = _memory(tensor) if self._written else None
        return made if memory is None else max(made, self._written.get(memory, NO_CALL))

    def note(self, call: int, tensors: Iterable[Tensor], *, written: bool = False) -> None:
        """Note the tensors that a call returned, or (``written``) changed in place."""
        for tensor in tensors:
            self._made[id(tensor)] = call
            self._alive.append(tensor)
            memory = _memory(tensor) if written else None
            if memory is not None:
                self._written[memory] = call

    def keep(self, tensors: Iterable[Tensor]) -> None:
        """Keep tensors alive that no call made."""
        self._alive += tensors


def writes(tensor: Tensor) -> int:
    """The number of writes in place to a tensor so far; -1 for one made in inference mode, which has no counter."""
    # torch has no public name for the counter
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001


def _memory(tensor: Tensor) -> int | None:
    """The address of a tensor's memory, or None if it has none of its own."""
    try:
        with torch._C.DisableTorchFunction():  # noqa: SLF001  # a recording mode would count the calls
            return tensor.untyped_storage().data_ptr() or None
    except (NotImplementedError, RuntimeError):  # sparse, opaque and functional tensors
        return None
