"""Sums over the steps of an epoch: the loss, and the checksum of the images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bincam.data.dataloader import Batch
from bincam.train.runs.checkpoint import Position
from bincam.train.steps.batches import pixel_sum
from bincam.train.steps.distributed import Process


class EpochSums:
    """One process's sums over the steps of the current epoch.

    Losses stay on the device until they are read, because reading one waits for a GPU.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.loss = 0.0
        self.restored_loss = 0.0  # the part of the loss that all processes had before the run was resumed
        self.pixels = torch.zeros((), dtype=torch.int64, device=process.device)
        self._pending: list[Tensor] = []  # losses of the last steps, not read yet

    def restore(self, position: Position) -> None:
        """Continue the sums of a state, which are those of all processes, in rank 0."""
        if self.process.rank == 0:
            self.pixels.fill_(position.pixel_sum)
            self.loss = self.restored_loss = position.loss_sum

    def add_images(self, parts: Sequence[Batch]) -> None:
        """Add the images of a step to the checksum."""
        for part in parts:
            self.pixels += pixel_sum(part.images, part.rows)

    def add_loss(self, loss: Tensor) -> None:
        """Add this process's share of a step's loss; it is read later."""
        self._pending.append(loss)

    def read(self, step: int, steps: int) -> int | None:
        """Add the pending losses to the sum, unless one is not finite.

        Args:
            step: Number of steps taken.
            steps: Number of steps of the epoch.

        Returns:
            The first step, from 0, whose loss is not finite in any process; None if all are finite.
        """
        values = torch.stack(self._pending).tolist()
        self._pending = []
        first = step - len(values)
        not_finite = [first + i for i, value in enumerate(values) if not math.isfinite(value)]
        bad_step = self.process.min(not_finite[0] if not_finite else steps)
        if bad_step < steps:
            return bad_step
        for value in values:
            self.loss += value
        return None

    def mean_loss(self, step: int) -> float | None:
        """Estimate the mean loss of all processes from this one's share; None before the first losses are read."""
        count = step - len(self._pending)
        own = self.loss - self.restored_loss
        return (self.restored_loss + own * self.process.world) / count if count else None

    def totals(self) -> tuple[float, int]:
        """Return the sums of losses and of pixels over all processes."""
        loss = torch.tensor(self.loss, dtype=torch.float64, device=self.process.device)
        return float(self.process.sum(loss)), int(self.process.sum(self.pixels))

    def reset(self) -> None:
        """Start the sums of a new epoch."""
        self.loss = self.restored_loss = 0.0
        self.pixels.zero_()
