"""Sets and outputs of two audits of the same images, aligned image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.panel import Panel
from bincam.audit.summary.sets.records import SetRecords, read_sets
from bincam.compare.names import Names
from bincam.compare.sets.matching import Common, Stated, common_outputs
from bincam.display import counted
from bincam.errors import InputError
from bincam.one_of import set_of
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import answers

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SetPair:
    """A set of K outputs that both models have, on the N images that both audits have.

    Attributes:
        name: Its name in the first audit.
        name_in_second: Its name in the second.
        outputs: Names of its outputs, in the first's order.
        true: ``(N,)``: index of the true output; -1 where unknown.
        predicted: Of each model ``(N,)``: index of its predicted output, of equal scores the first in its own order; -1
            where a score is not finite.
        rare: ``(K,)``: the minority, of the first model.
        trained: True if the minority rests on the counts of the first model's card.
        large: True if one of the audits keeps but the rows of the predicted and the true output.
        clusters: Clusters of the images.
    """

    name: str
    name_in_second: str
    outputs: tuple[str, ...]
    true: Integers
    predicted: tuple[Integers, Integers]
    rare: NDArray[np.bool_]
    trained: bool
    large: bool
    clusters: Clusters

    @property
    def both(self) -> NDArray[np.bool_]:
        """``(N,)``: the label is known, and the prediction of both models defined."""
        return (self.true >= 0) & (self.predicted[0] >= 0) & (self.predicted[1] >= 0)


@dataclass(frozen=True)
class OutputPair:
    """An output that both models have and do not both state as a yes-or-no attribute, on the same N images.

    Attributes:
        name: Its name.
        sets: The set of which it is an output in each audit; None where it is a yes-or-no attribute.
        label: ``(N,)``: 1, 0, or NaN where either audit has none.
        answers: Of each model ``(N,)``: 1 (yes) or -1; 0 where undefined. In a set, yes is that it is predicted.
        clusters: Clusters of the images.
    """

    name: str
    sets: tuple[str | None, str | None]
    label: NDArray[np.float32]
    answers: tuple[NDArray[np.int8], NDArray[np.int8]]
    clusters: Clusters


@dataclass(frozen=True)
class _Aligned:
    """One audit's records of the common images: its panel, the places of these images, and its sets."""

    audit: Audit
    panel: Panel
    at: Integers
    sets: dict[str, SetRecords]


def in_common(first: Audit, second: Audit, names: Names) -> Common:
    """Match the outputs of two audits by name; ``common_outputs`` describes how."""
    return common_outputs(
        *(
            Stated(audit.manifest.yes_or_no, audit.one_of, called)
            for audit, called in ((first, names.of_first), (second, names.of_second))
        )
    )


def pair_sets(
    audits: tuple[Audit, Audit], panels: tuple[Panel, Panel], common: Common, rows: Integers, clusters: Clusters
) -> tuple[tuple[SetPair, ...], tuple[OutputPair, ...]]:
    """Align the sets that both audits have, and the outputs that they state differently.

    Args:
        audits: The two audits.
        panels: Their records, of all rows of an image.
        common: What they have in common.
        rows: Rows of the images that both have.
        clusters: Clusters of these images.

    Raises:
        InputError: A set or an output has other labels in the two audits.
    """
    if not (common.sets or common.outputs):
        return (), ()
    one, other = (
        _Aligned(
            audit,
            panel,
            np.searchsorted(panel.rows, rows).astype(np.int64),
            {records.name: records for records in read_sets(audit, panel)},
        )
        for audit, panel in zip(audits, panels, strict=True)
    )
    return (
        tuple(_pair(one, other, name, common, clusters) for name in common.sets),
        tuple(_output(one, other, name, clusters) for name in common.outputs),
    )


def _pair(one: _Aligned, other: _Aligned, name: str, common: Common, clusters: Clusters) -> SetPair:
    first, second = one.sets[name], other.sets[common.sets[name]]
    # The first's place of each output in the order of the second; its last entry is that of an unknown output.
    place = np.append(np.argsort(common.order[name]), -1).astype(np.int64)
    true = first.true[one.at]
    differing = int((true != place[second.true[other.at]]).sum())
    if differing:
        raise InputError(
            f"{one.audit.folder} and {other.audit.folder}: set {name!r}: {_differ(differing)}; audit both with "
            "the same labels"
        )
    return SetPair(
        name=name,
        name_in_second=second.name,
        outputs=first.outputs,
        true=true,
        predicted=(first.predicted[one.at], place[second.predicted[other.at]]),
        rare=first.rare,
        trained=first.trained,
        large=first.large or second.large,
        clusters=clusters,
    )


def _output(one: _Aligned, other: _Aligned, name: str, clusters: Clusters) -> OutputPair:
    (label, answer), (other_label, other_answer) = (_single(of, name) for of in (one, other))
    known = np.isfinite(label) & np.isfinite(other_label)
    differing = int((label != other_label)[known].sum())
    if differing:
        raise InputError(
            f"{one.audit.folder} and {other.audit.folder}: output {name!r}: {_differ(differing)}; audit both with "
            "the same labels"
        )
    return OutputPair(
        name=name,
        sets=(set_of(name, one.audit.one_of), set_of(name, other.audit.one_of)),
        label=np.where(known, label, np.float32(np.nan)),
        answers=(answer, other_answer),
        clusters=clusters,
    )


def _single(audit: _Aligned, name: str) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Read one output's labels and answers ``(N,)`` of the common images."""
    owner = set_of(name, audit.audit.one_of)
    if owner is None:
        a = audit.panel.attributes.index(name)
        panel, at = audit.panel, audit.at
        return panel.label[at, a], answers(panel.logit[at, a], panel.threshold[at, a])
    records = audit.sets[owner]
    k = records.outputs.index(name)
    true, predicted = records.true[audit.at], records.predicted[audit.at]
    label = np.where(true < 0, np.nan, true == k).astype(np.float32)
    return label, np.where(predicted < 0, 0, np.where(predicted == k, 1, -1)).astype(np.int8)


def _differ(labels: int) -> str:
    return f"{counted(labels, 'label')} {'differs' if labels == 1 else 'differ'}"
