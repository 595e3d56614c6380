"""The form of a table of labels with sets of outputs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bincam.one_of import Sets


class LabelledSets(Protocol):
    """A table of labels with sets, such as ``bincam.data.AttributeTable``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The A outputs."""

    @property
    def labels(self) -> NDArray[np.float32]:
        """``(N, A)``: 1, 0 or NaN."""

    @property
    def one_of(self) -> Sets:
        """The sets of outputs."""
