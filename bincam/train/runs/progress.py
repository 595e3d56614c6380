"""Progress of a run: on stderr, a bar on a terminal or one line per epoch; and as TensorBoard event files."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bincam.display import literal_console
from bincam.errors import InputError, in_a_line
from bincam.progress import in_words, left_column, whole
from bincam.stats.formatting import UNDEFINED, number, percent
from bincam.train.configuration.config import TrainConfig
from bincam.train.runs.checkpoint import saving

_PERIOD = 0.25  # seconds between two updates of the bar


SHOWN = ("accuracy", "balanced_accuracy", "macro_auroc")
"""Metrics of a set that are shown and drawn; its record has all."""


def set_line(name: str, entry: Mapping[str, Any]) -> str:
    """Describe a set's metrics, to be appended to a line.

    >>> print(set_line("hair", {"accuracy": 0.75, "balanced_accuracy": 0.5, "macro_auroc": None}))
    , hair: accuracy 75.0 %, balanced accuracy 50.0 %, macro AUROC undefined
    """
    accuracy, balanced, auroc = (entry[metric] for metric in SHOWN)
    shares = (UNDEFINED if share is None else percent(share, 1) for share in (accuracy, balanced))
    ranked = UNDEFINED if auroc is None else number(auroc, 3)
    return ", {}: accuracy {}, balanced accuracy {}, macro AUROC {}".format(name, *shares, ranked)


class Reporter:
    """Shows epoch, images/s, time left, loss and balanced error; silent except in the main process."""

    def __init__(self, config: TrainConfig, *, steps: int, done: int = 0, silent: bool = False) -> None:
        """Begin to report.

        Args:
            config: Of the run.
            steps: Number per epoch.
            done: Steps that an earlier run had taken, over all epochs.
            silent: Report nothing.
        """
        self.epochs, self.steps, self.batch_size = config.epochs, steps, config.batch_size
        self.title = Path(config.out).name
        self.silent = silent
        self.console = literal_console(stderr=True)
        self.error = ""
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0
        self._done, self._began = done, time.monotonic()
        if self.console.is_terminal and not silent:
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[status]}", markup=False),
                left_column(self._before),
                console=self.console,
            )

    @property
    def _all(self) -> int:
        return self.epochs * self.steps

    @property
    def _before(self) -> float:
        """The share of the run that an earlier run had done."""
        return self._done / max(self._all, 1)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._bar is not None:
            self._bar.start()
            # What an earlier run had done is no speed of this one.
            self._task = self._bar.add_task(self.title, total=self._all, completed=self._done, status="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, epoch: int, step: int, loss: float | None) -> None:
        """Report a step, with the epoch's mean loss so far; None if it is not known yet."""
        if self._bar is None or time.monotonic() - self._shown < _PERIOD:
            return
        self._shown = time.monotonic()
        speed = self._bar.tasks[self._task].speed
        mean = "..." if loss is None else number(loss, 4)
        rate = f", {number(speed * self.batch_size, 0)} images/s" if speed else ""
        self._bar.update(
            self._task,
            completed=epoch * self.steps + step,
            description=f"{self.title} epoch {epoch + 1}/{self.epochs}",
            status=f"loss {mean}{self.error}{rate}",
        )

    def epoch(self, record: dict[str, Any]) -> None:
        """Report an epoch, validation included, with what is left of the whole command at the speed so far."""
        balanced = record["validation"]["mean"]["balanced_error"]
        self.error = "" if balanced is None else f", balanced error {percent(balanced, 1)}"
        self.error += "".join(set_line(name, entry) for name, entry in record["validation"].get("sets", {}).items())
        if self.silent or self._bar is not None:
            return
        at = record["epoch"] * self.steps
        own = (time.monotonic() - self._began) * (self._all - at) / max(at - self._done, 1)
        left = whole(own, before=self._before)
        text = (
            f"{self.title}: epoch {record['epoch']}/{self.epochs}, loss {number(record['train_loss'], 4)}"
            f"{self.error}, {number(record['images_per_second'], 0)} images/s, about {in_words(left)} left"
        )
        print(in_a_line(text), file=sys.stderr, flush=True)  # noqa: T201  # one line, whatever the console's width


def event_writer(enabled: bool | None) -> Callable[..., Any] | None:
    """Return TensorBoard's ``SummaryWriter``, or None where it is disabled or optional and not installed.

    Args:
        enabled: True, False, or None for True if TensorBoard is installed.

    Raises:
        InputError: ``enabled`` is True and TensorBoard cannot be imported.
    """
    if enabled is False:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except Exception as error:  # a broken installation may raise anything
        if enabled:
            missing = isinstance(error, ModuleNotFoundError)
            what = "is not installed: pip install tensorboard" if missing else f"cannot be imported: {error}"
            raise InputError(f"tensorboard: true, but it {what}") from None
        return None
    return SummaryWriter


class EventFile:
    """Writes records as a TensorBoard event file in ``folder/tensorboard``."""

    def __init__(self, folder: Path, writer: Callable[..., Any] | None, history: Sequence[dict[str, Any]] = ()) -> None:
        """Open a new event file that supersedes earlier ones; the earlier records are written again.

        Args:
            folder: Of the run.
            writer: From ``event_writer``; with None nothing is written.
            history: The records so far.

        Raises:
            BincamError: The file cannot be written.
        """
        self.folder = folder
        self._writer: Any = None
        if writer is None:
            return
        with saving(folder):
            self._writer = writer(str(folder / "tensorboard"), purge_step=1 if history else None)
        for record in history:
            self.write(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):  # every record has been flushed, or its failure reported
                self._writer.close()

    def write(self, record: dict[str, Any]) -> None:
        """Write an epoch's losses, learning rate and mean metrics.

        Raises:
            BincamError: The file cannot be written.
        """
        if self._writer is None:
            return
        step = record["epoch"]
        values = {"train/loss": record["train_loss"], "train/lr": record["lr"]}
        values |= {f"validation/{name}": value for name, value in record["validation"]["mean"].items()}
        for name, entry in record["validation"].get("sets", {}).items():
            values |= {f"validation/{name}/{metric}": entry[metric] for metric in SHOWN}
        with saving(self.folder):
            for name, value in values.items():
                if value is not None:
                    self._writer.add_scalar(name, value, step)
            self._writer.flush()
