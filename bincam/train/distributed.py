"""The process that trains, among its siblings: device, precision, sums over all of them, and Ctrl-C."""

from __future__ import annotations

import atexit
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bincam.errors import BincamError, InputError
from bincam.train.config import TrainConfig


class Process:
    """One of ``world`` processes that train together; alone, everything here costs nothing.

    Attributes:
        accelerator: Hugging Face's.
        device: Of this process.
        rank: From 0; rank 0 writes files and shows progress.
        world: Number of processes.
    """

    def __init__(self, config: TrainConfig) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, PartialState
        from accelerate.utils import GradientAccumulationPlugin

        there = torch.cuda.is_available()
        if config.device == "cuda" and not there:
            raise InputError("device: cuda, but torch finds no GPU here")
        if config.precision == "fp16" and (config.device == "cpu" or not there):
            raise InputError("precision: fp16 needs a GPU; bf16 runs on a CPU too")
        # accelerate keeps the first run's precision and device for as long as Python runs; the next may have others.
        AcceleratorState._reset_state()  # noqa: SLF001  # it has no public name
        if not torch.distributed.is_initialized():
            PartialState._reset_state()  # noqa: SLF001  # likewise
        precision = "no" if config.precision == "fp32" else config.precision
        # Without being told that these are CPUs, accelerate takes several processes for several runs.
        self.accelerator: Any = Accelerator(
            cpu=config.device == "cpu" or not there,
            mixed_precision=precision,
            # Parts are added up by the step; told by number alone, accelerate lets an environment variable win.
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
        self.device: torch.device = self.accelerator.device
        self.rank, self.world = int(self.accelerator.process_index), int(self.accelerator.num_processes)
        if self.world > 1:
            atexit.unregister(leave)  # of an earlier run
            atexit.register(leave)

    def sum(self, value: Tensor) -> Tensor:
        """The sum over processes."""
        if self.world == 1:
            return value
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    def least(self, value: int) -> int:
        """The least value that any process has."""
        if self.world == 1:
            return value
        told = torch.tensor([value], device=self.device)
        torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MIN)
        return int(told)

    def any(self, wanted: bool) -> bool:
        """Whether any process wants it."""
        return self.least(int(not wanted)) == 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Fail in every process where it fails in one, so that none waits for a process that has gone.

        Raises:
            BincamError: What failed here, or that another process failed.
        """
        failure: BincamError | None = None
        try:
            yield
        except BincamError as error:
            failure = error
        if self.any(failure is not None):
            raise failure or BincamError(f"process {self.rank} ends because another one failed, which says why")

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process rank 0's buffers: BatchNorm's statistics are each process's own while it trains."""
        if self.world > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)


def leave() -> None:
    """Leave the group of processes, where there is one.

    Its threads outlive the program otherwise, and now and then end it by an abort when it has done everything.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Notice Ctrl-C instead of breaking off; the second one breaks off. The handler is put back.

    Loader workers, which are forked meanwhile, inherit that they are not broken off either.
    """
    if threading.current_thread() is not threading.main_thread():  # handlers can be set nowhere else
        yield lambda: False
        return
    asked: list[int] = []

    def notice(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, notice)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
