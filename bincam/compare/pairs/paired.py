"""What a comparison reads of two audits of the same images: one attribute at a time, however many images there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bincam.compare.sets.matching import Common
from bincam.compare.sets.pairs import OutputPair, SetPair
from bincam.stats.clusters import Clusters

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit
    from bincam.audit.summary.panel import Panel


@dataclass(frozen=True)
class Decided:
    """The labels of one attribute, and what is answered: by the first model, at its adjusted threshold, by the second.

    Attributes:
        minority: The class that was rarer in the first model's training, +1 or -1.
        label: ``(N,)``: 1, 0, NaN.
        answers: ``(3, N)``: +1 or -1; 0 without a finite logit or an adjusted threshold.
        wrong: ``(3, N)``: 1 where an answer is not the label, 0 where it is, NaN where either is unknown.
    """

    minority: int
    label: NDArray[np.float32]
    answers: NDArray[np.int8]
    wrong: NDArray[np.float32]


class Paired(Protocol):
    """Records of the N images and A attributes that two audits have."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the A attributes, in the order of the first audit."""

    @property
    def minority(self) -> NDArray[np.int64]:
        """``(A,)``: the class that was rarer in the first model's training, +1 or -1."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the measures that are compared."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Specs that both audits have, the first audit's primary one first."""

    @property
    def clusters(self) -> Clusters:
        """Clusters of the N images."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(N,)``: the images' rows in ``images.parquet``."""

    @property
    def looked_at(self) -> int:
        """Number of images that were looked for in both audits."""

    @property
    def audited(self) -> NDArray[np.float32]:
        """``(A,)``: thresholds of the first model, in logit units."""

    @property
    def moved(self) -> NDArray[np.float64]:
        """``(A,)``: adjusted thresholds for the first model; NaN where none is known."""

    @property
    def moved_from(self) -> str:
        """Their origin; empty where there are none."""

    @property
    def common(self) -> Common:
        """The outputs and sets that the audits have in common, by name."""

    @property
    def sets(self) -> tuple[SetPair, ...]:
        """The sets of outputs that both have."""

    @property
    def outputs(self) -> tuple[OutputPair, ...]:
        """The outputs that both have but state differently."""

    @property
    def set_images(self) -> int:
        """Number of images that sets and single outputs were looked at on."""

    def decided(self, a: int) -> Decided:
        """Return the labels and answers of attribute ``a``."""

    def with_groups(self, audit: Audit) -> Panel:
        """Return the labels with the groups of their images, which the first audit names."""
