"""Training processes: device, precision, reductions over all processes, and Ctrl-C."""

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
from bincam.train.configuration.config import TrainConfig


class Process:
    """One of ``world`` processes that train together; a single process pays nothing for it.

    Attributes:
        accelerator: Of Hugging Face's accelerate.
        device: Of this process.
        rank: From 0; rank 0 writes files and shows progress.
        world: Number of processes.
    """

    def __init__(self, config: TrainConfig) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, PartialState
        from accelerate.utils import GradientAccumulationPlugin

        has_gpu = torch.cuda.is_available()
        if config.device == "cuda" and not has_gpu:
            raise InputError("device: cuda, but torch finds no GPU here")
        if config.precision == "fp16" and (config.device == "cpu" or not has_gpu):
            raise InputError(
                "precision: fp16 needs a GPU; on a CPU use fp32, or bf16 if the processor has bf16 instructions"
            )
        # accelerate keeps precision and device of the first run in the interpreter; the next run may have others.
        AcceleratorState._reset_state()  # noqa: SLF001  # it has no public name
        if not torch.distributed.is_initialized():
            PartialState._reset_state()  # noqa: SLF001  # likewise
        precision = "no" if config.precision == "fp32" else config.precision
        # Without cpu=True accelerate treats several processes on CPUs as separate runs.
        self.accelerator: Any = Accelerator(
            cpu=config.device == "cpu" or not has_gpu,
            mixed_precision=precision,
            # The step adds up the parts; as a plain number an environment variable would override this.
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
        self.device: torch.device = self.accelerator.device
        self.rank, self.world = int(self.accelerator.process_index), int(self.accelerator.num_processes)
        if self.world > 1:
            atexit.unregister(leave_group)  # registered by an earlier run
            atexit.register(leave_group)

    def sum(self, value: Tensor) -> Tensor:
        """Add up a value over processes."""
        if self.world == 1:
            return value
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    def min(self, value: int) -> int:
        """Return the smallest value of any process."""
        if self.world == 1:
            return value
        smallest = torch.tensor([value], device=self.device)
        torch.distributed.all_reduce(smallest, torch.distributed.ReduceOp.MIN)
        return int(smallest)

    def any(self, value: bool) -> bool:
        """Return True if the value is True in any process."""
        return self.min(int(not value)) == 0

    @contextlib.contextmanager
    def failing_together(self) -> Iterator[None]:
        """Raise in every process if one fails, so that none waits for a process that has ended.

        Raises:
            BincamError: The error of this process, or a note that another process failed.
        """
        failure: BincamError | None = None
        try:
            yield
        except BincamError as error:
            failure = error
        if self.any(failure is not None):
            raise failure or BincamError(
                f"process {self.rank} ends because another process failed, which reports the reason"
            )

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the buffers of rank 0, because BatchNorm's statistics differ between processes."""
        if self.world > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)


def leave_group() -> None:
    """Leave the group of processes, if there is one.

    Otherwise its threads outlive the program and occasionally abort it at exit.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Defer Ctrl-C: yield a function that returns True after the first; the second raises. The handler is restored.

    Loader workers forked meanwhile inherit the handler, so the first Ctrl-C does not end them either.
    """
    if threading.current_thread() is not threading.main_thread():  # handlers can be set nowhere else
        yield lambda: False
        return
    signals: list[int] = []

    def defer(number: int, _: Any) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)

    previous = signal.signal(signal.SIGINT, defer)
    try:
        yield lambda: bool(signals)
    finally:
        signal.signal(signal.SIGINT, previous)
