"""A work some of whose parts lose their process."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bincam.engines import Work
from bincam.engines.parts import carried_out
from bincam.errors import BincamWarning


@dataclass(frozen=True)
class Killed:
    """A recipe whose parts are files in a folder.

    Attributes:
        folder: Where a part is written.
        times: Part to the number of times that its process is killed in its middle.
        opens: False if the process is killed before it has opened the work.
        seconds: What a part takes.
        versions: As of every recipe.
    """

    folder: Path
    times: Mapping[int, int] = field(default_factory=dict)
    opens: bool = True
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> Work:
        if not self.opens:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._work

    def written(self, number: int) -> Path:
        return self.folder / f"part-{number}"

    def _work(self, numbers: Sequence[int]) -> Iterator[int]:
        yield from carried_out(
            numbers, lambda number: self.written(number).is_file(), lambda n: self.folder / f"begun-{n}", self._write
        )

    def _write(self, numbers: Sequence[int]) -> Iterator[int]:
        for number in numbers:
            if (self.folder / f"begun-{number}").stat().st_size <= self.times.get(number, 0):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
            self.written(number).write_text(str(os.getpid()))
            warnings.warn(f"{torch.get_num_threads()} threads", BincamWarning, stacklevel=2)
            yield number
