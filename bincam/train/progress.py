"""How a run is going, on stderr: a bar on a terminal, else one line per epoch."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bincam.errors import InputError
from bincam.train.config import TrainConfig

_PERIOD = 0.25  # seconds between two updates of the bar


class Reporter:
    """Shows epoch, images/s, time left, loss and balanced error. Silent where it is not the main process."""

    def __init__(self, config: TrainConfig, *, steps: int, silent: bool = False) -> None:
        from rich.console import Console

        self.epochs, self.steps, self.batch_size = config.epochs, steps, config.batch_size
        self.title = Path(config.out).name
        self.silent = silent
        self.console = Console(stderr=True)
        self.error = ""
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0
        if self.console.is_terminal and not silent:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[told]}"),
                TimeRemainingColumn(),
                console=self.console,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.epochs * self.steps, told="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, epoch: int, step: int, loss: float | None) -> None:
        """After a step, with the epoch's mean loss so far; None where it is not known yet."""
        if self._bar is None or time.monotonic() - self._shown < _PERIOD:
            return
        self._shown = time.monotonic()
        speed = self._bar.tasks[self._task].speed
        mean = "..." if loss is None else f"{loss:.4f}"
        rate = f", {speed * self.batch_size:.0f} images/s" if speed else ""
        self._bar.update(
            self._task,
            completed=epoch * self.steps + step,
            description=f"{self.title} epoch {epoch + 1}/{self.epochs}",
            told=f"loss {mean}{self.error}{rate}",
        )

    def epoch(self, record: dict[str, Any], seconds: float) -> None:
        """After an epoch, with its record and the seconds that it took, validation included."""
        balanced = record["validation"]["mean"]["balanced_error"]
        self.error = "" if balanced is None else f", balanced error {balanced:.4f}"
        if self.silent or self._bar is not None:
            return
        left = seconds * (self.epochs - record["epoch"])
        text = (
            f"{self.title}: epoch {record['epoch']}/{self.epochs}, loss {record['train_loss']:.4f}{self.error}, "
            f"{record['images_per_second']:.0f} images/s, about {left:.0f} s left"
        )
        print(text, file=sys.stderr, flush=True)  # noqa: T201  # one line, whatever the console's width


class Board:
    """Records as TensorBoard's event files, if wanted."""

    def __init__(self, folder: Path | None) -> None:
        """Open ``folder/tensorboard``; None wants none.

        Raises:
            InputError: TensorBoard is not installed.
        """
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError("tensorboard: true, but it is not installed: pip install tensorboard") from None
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, record: dict[str, Any]) -> None:
        """An epoch's losses, learning rate and mean metrics."""
        if self._writer is None:
            return
        step = record["epoch"]
        values = {"train/loss": record["train_loss"], "train/lr": record["lr"]}
        values |= {f"validation/{name}": value for name, value in record["validation"]["mean"].items()}
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()
