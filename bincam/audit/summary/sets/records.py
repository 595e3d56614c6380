"""The stored raw scores of a set of outputs, with the true outputs of the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.sets import columns_of_scores
from bincam.audit.summary.panel import Panel
from bincam.one_of import predicted_outputs, rarer_than_even
from bincam.stats.clusters import Clusters

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit


@dataclass(frozen=True)
class SetRecords:
    """Raw scores and true outputs of one set, of the N images that could be read.

    Attributes:
        name: Name of the set.
        outputs: Names of its K outputs.
        scores: ``(N, K)`` float32, raw scores.
        true: ``(N,)``: index of the true output; -1 where unknown.
        train_images: ``(K,)``: images of each output in training, or in the audited data.
        trained: True if ``train_images`` are those of the model's card.
        clusters: Clusters of the N images.
        large: True if only the predicted and the true output have rows in the records.
        shifts: ``(K,)``: the card's shifts of the raw scores by the training loss; None if it does not state them all.
    """

    name: str
    outputs: tuple[str, ...]
    scores: NDArray[np.float32]
    true: NDArray[np.int64]
    train_images: NDArray[np.int64]
    trained: bool
    clusters: Clusters
    large: bool = False
    shifts: NDArray[np.float64] | None = None

    @property
    def labels(self) -> NDArray[np.float32]:
        """``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout."""
        known = self.true >= 0
        one_hot = (self.true[:, None] == np.arange(len(self.outputs))).astype(np.float32)
        return np.where(known[:, None], one_hot, np.float32(np.nan))

    @property
    def predicted(self) -> NDArray[np.int64]:
        """``(N,)``: index of the predicted output; -1 where a score is not finite."""
        return predicted_outputs(self.scores)

    @property
    def wrong(self) -> NDArray[np.float64]:
        """``(N,)``: 1 where another output is predicted than the true one, else 0; NaN where either is unknown."""
        predicted = self.predicted
        return np.where((self.true >= 0) & (predicted >= 0), predicted != self.true, np.nan)

    @property
    def rare(self) -> NDArray[np.bool_]:
        """``(K,)``: the minority, outputs that are rarer than one in K."""
        return rarer_than_even(self.train_images)

    def take(self, rows: NDArray[np.integer], clusters: Clusters) -> SetRecords:
        """Return the records of some images, with their clusters."""
        return SetRecords(
            self.name,
            self.outputs,
            self.scores[rows],
            self.true[rows],
            self.train_images,
            self.trained,
            clusters,
            self.large,
            self.shifts,
        )


def read_sets(audit: Audit, panel: Panel) -> list[SetRecords]:
    """Read the scores of all sets of an audit.

    Args:
        audit: The audit; it may be without a summary.
        panel: Its records.
    """
    if not audit.one_of:
        return []
    manifest, scores = audit.manifest, audit.scores()
    of_card = manifest.model.card.get("train_counts") or {}
    shift_of = manifest.model.card.get("score_shift") or {}
    result = []
    for name, at in columns_of_scores(audit.one_of).items():
        outputs, large = audit.one_of[name], name in manifest.large_sets
        result.append(
            SetRecords(
                name=name,
                outputs=outputs,
                scores=scores[:, at],
                true=panel.true_output(name),
                train_images=np.array([manifest.train_counts[output][1] for output in outputs], np.int64),
                trained=all(output in of_card for output in outputs),
                clusters=panel.clusters,
                large=large,
                shifts=_shifts(outputs, shift_of),
            )
        )
    return result


def _shifts(outputs: Sequence[str], shift_of: dict[str, float]) -> NDArray[np.float64] | None:
    if not all(output in shift_of for output in outputs):
        return None
    return np.array([shift_of[output] for output in outputs], float)


def occupied(table: NDArray[np.int64]) -> list[list[int]]:
    """List the occupied cells of a confusion table ``(K, K)`` as ``[true, predicted, count]``.

    >>> occupied(np.array([[3, 0], [1, 0]]))
    [[0, 0, 3], [1, 0, 1]]
    """
    true, predicted = np.nonzero(table)
    cells: list[list[int]] = np.column_stack([true, predicted, table[true, predicted]]).tolist()
    return cells
