"""The scores and labels of an audit, as sets are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.sets import columns_of_scores
from bincam.audit.summary.groups.divisions import Slicing, slicings
from bincam.audit.summary.panel import read_panel
from bincam.one_of import rarer_than_even
from bincam.postprocessing.label_sets import row_blocks
from bincam.stats.clusters import Clusters

if TYPE_CHECKING:
    from bincam.audit.folder.audit import Audit

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class OneOf:
    """Scores of a set of outputs of which exactly one is true.

    Attributes:
        outputs: Names of the K outputs.
        scores: ``(N, K)`` float32, see ``output_scores``; NaN in rows with a raw score that is not finite.
        true: ``(N,)``: index of the true output; -1 where unknown.
        rare: ``(K,)``: True for the minority, outputs that are rarer than one in K in training.
    """

    outputs: tuple[str, ...]
    scores: Floats
    true: NDArray[np.int64]
    rare: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> OneOf:
        """Return the scores of some images."""
        return replace(self, scores=self.scores[rows], true=self.true[rows])

    def ordered(self, outputs: Sequence[str]) -> OneOf:
        """Return the same outputs in another order."""
        if tuple(outputs) == self.outputs:
            return self
        order = np.array([self.outputs.index(name) for name in outputs])
        place = np.append(np.argsort(order), -1)  # the last is the index -1, of unknown labels
        return OneOf(tuple(outputs), self.scores[:, order], place[self.true], self.rare[order])


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores and labels of the N images of an audit that could be read.

    Attributes:
        attributes: Names of the A yes-or-no attributes.
        margin: ``(N, A)`` float32: z - t, in logit units; NaN where undefined.
        labels: ``(N, A)``: 1, 0, NaN.
        minority: ``(A,)``: the class that was rarer in training, +1 or -1.
        sets: Sets of outputs by name.
        rows: ``(N,)``: the images' rows in ``images.parquet``.
        images: ``(N,)``: their names.
        people: ``(N,)``: numbers of the people, for one image of each; None where the data names none.
        identities: ``(N,)``: their names, '' where unknown.
        divisions: What the audit slices its images by.
        left_out: Divisions that were left out, with the reason.
    """

    attributes: tuple[str, ...]
    margin: Floats
    labels: Floats
    minority: NDArray[np.int64]
    sets: Mapping[str, OneOf]
    rows: NDArray[np.int64]
    images: NDArray[Any]
    people: NDArray[np.int64] | None
    identities: NDArray[Any]
    divisions: tuple[Slicing, ...] = ()
    left_out: tuple[dict[str, str], ...] = ()

    @property
    def count(self) -> int:
        """N."""
        return len(self.rows)

    @cached_property
    def clusters(self) -> Clusters:
        """Clusters of the images, by person."""
        if self.people is None:
            return Clusters(np.arange(self.count), known=False)
        return Clusters(np.unique(self.people, return_inverse=True)[1].astype(np.int64), known=True)

    def probability(self, a: int | slice = slice(None)) -> Floats:
        """Return the logistic function of z - t, ``(N,)`` of an attribute or ``(N, A)``."""
        from scipy.special import expit

        return np.asarray(expit(self.margin[:, a]), np.float32)

    def answers(self, a: int) -> Floats:
        """Return the scores of no and yes of an attribute ``(N, 2)``, as ``yes_no_scores`` defines them, in float32."""
        from scipy.special import expit

        z = self.margin[:, a]
        result = np.empty((len(z), 2), np.float32)
        expit(z, out=result[:, 1])
        expit(-z, out=result[:, 0])
        return result

    def label(self, a: int) -> Floats:
        """Return the labels of an attribute ``(N,)``, as one piece of memory."""
        return np.ascontiguousarray(self.labels[:, a])

    def take(self, rows: NDArray[np.int64]) -> Scored:
        """Return the scores of some images."""
        return Scored(
            self.attributes,
            self.margin[rows],
            self.labels[rows],
            self.minority,
            {name: of_set.take(rows) for name, of_set in self.sets.items()},
            self.rows[rows],
            self.images[rows],
            None if self.people is None else self.people[rows],
            self.identities[rows],
            tuple(replace(division, codes=division.codes[rows]) for division in self.divisions),
            self.left_out,
        )

    def ordered(self, attributes: Sequence[str], sets: Mapping[str, Sequence[str]]) -> Scored:
        """Return the same outputs in another order; the divisions are kept."""
        order = [self.attributes.index(name) for name in attributes]
        return replace(
            self,
            attributes=tuple(attributes),
            margin=self.margin[:, order],
            labels=self.labels[:, order],
            minority=self.minority[order],
            sets={name: self.sets[name].ordered(outputs) for name, outputs in sets.items()},
        )


def read_scored(audit: Audit, *, divided: bool = True) -> Scored:
    """Read the scores of an audit's yes-or-no attributes and of its sets, with labels and people.

    Args:
        audit: The audit.
        divided: Read its divisions too, as they are needed of judged images alone.

    Raises:
        InputError: An image lacks some of its records, or no image could be read.
    """
    panel = read_panel(audit, columns=())
    names = audit.manifest.yes_or_no
    at = [panel.attributes.index(name) for name in names]
    whole = at == list(range(len(panel.attributes)))
    margin = panel.logit - panel.threshold if whole else panel.logit[:, at] - panel.threshold[:, at]
    sets = {}
    if audit.one_of:
        second = audit.manifest.second_head
        raw, counts = audit.set_scores() if second else audit.scores(), audit.manifest.train_counts
        for name, columns in columns_of_scores(audit.one_of).items():
            outputs = audit.one_of[name]
            trained = np.array([counts[output][1] for output in outputs], np.int64)
            sets[name] = OneOf(
                outputs,
                output_scores(raw[:, columns], second_head=second),
                panel.true_output(name),
                rarer_than_even(trained),
            )
    divisions, left_out = slicings(panel, audit.manifest.slice_by) if divided else ([], [])
    of_images = audit.images.set_index("row").loc[panel.rows]
    identities = of_images["identity"].astype(str).to_numpy()
    return Scored(
        names,
        margin,
        panel.label if whole else panel.label[:, at],
        panel.minority[at],
        sets,
        panel.rows,
        of_images["image"].astype(str).to_numpy(),
        panel.clusters.codes if panel.clusters.known else None,
        identities,
        tuple(divisions),
        tuple(left_out),
    )


def output_scores(raw: Floats, *, second_head: bool = False) -> Floats:
    """Compute the scores of a set ``(N, K)`` in float32, in blocks; NaN in rows with a raw score that is not finite.

    Args:
        raw: ``(N, K)``: raw scores, or logits of a second head.
        second_head: Take the logistic of each, which need not add up to 1, in place of the softmax.

    >>> output_scores(np.array([[0.0, 0.0], [np.inf, 0.0]], np.float32)).tolist()
    [[0.5, 0.5], [nan, nan]]
    >>> output_scores(np.array([[0.0, 0.0, 0.0]], np.float32), second_head=True).tolist()
    [[0.5, 0.5, 0.5]]
    """
    from scipy.special import expit, softmax

    result = np.empty(raw.shape, np.float32)
    for block in row_blocks(*raw.shape):
        part = raw[block].astype(np.float64)
        part[~np.isfinite(part).all(1)] = np.nan
        result[block] = expit(part) if second_head else softmax(part, axis=1)
    return result
