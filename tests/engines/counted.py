"""A work of which nothing is kept but who has done it: what is tested is the engine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bincam.engines import Work
from bincam.errors import BincamWarning, UnsupportedError


@dataclass(frozen=True)
class Counted:
    """A recipe.

    Attributes:
        fault: The number of a part that cannot be carried out.
        versions: As of every recipe.
    """

    fault: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> Work:
        return self._work

    def _work(self, numbers: Sequence[int]) -> Iterator[int]:
        for number in numbers:
            if number == self.fault:
                raise UnsupportedError(f"part {number} is of no kind that is known")
            warnings.warn(f"on GPU {os.environ.get('CUDA_VISIBLE_DEVICES')}", BincamWarning, stacklevel=2)
            yield number
