"""An audit's records as arrays, with the groups and identities of its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.sets import TRUE_OUTPUT_COLUMNS, columns_of_scores, recorded_true_outputs, slots
from bincam.decision import is_positive
from bincam.errors import InputError
from bincam.one_of import Sets, predicted_outputs, true_outputs
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import BASIC, MEMBERSHIP, basic_name, cells

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit


@dataclass(frozen=True)
class Panel:
    """Records of the N images that could be read, and of A attributes.

    Attributes:
        attributes: Names of the attributes.
        rows: ``(N,)``: the images' rows in ``images.parquet``.
        label: ``(N, A)``: 1, 0, NaN.
        logit: ``(N, A)``.
        threshold: ``(N, A)``, in logit units.
        minority: ``(A,)``: the class that was rarer in training, +1 or -1.
        clusters: Clusters of the N images.
        columns: Names of the C measures.
        values: ``(N, A, C)`` float32, the measures; NaN where undefined.
        groups: Group column, such as ``group.sex``, to its values ``(N,)``, as strings; empty where unknown.
        skipped: Number of audited images that could not be read.
        positive: ``(N, A)``: decided yes; None where every decision is ``logit >= threshold``, as without sets.
        one_of: Sets of the attributes of which exactly one is true.
        large: Sets whose outputs are no attributes here, because they have too many; there are attributes of their
            predicted and of their true output.
        true: Name of a large set to its true output ``(N,)``, an index into its outputs; -1 where it is unknown.
    """

    attributes: tuple[str, ...]
    rows: NDArray[np.int64]
    label: NDArray[np.float32]
    logit: NDArray[np.float32]
    threshold: NDArray[np.float32]
    minority: NDArray[np.int64]
    clusters: Clusters
    columns: tuple[str, ...]
    values: NDArray[np.float32]
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    skipped: int = 0
    positive: NDArray[np.bool_] | None = None
    one_of: Sets = field(default_factory=dict)
    large: Sets = field(default_factory=dict)
    true: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @cached_property
    def cell(self) -> NDArray[np.int8]:
        """``(N, A)``: index into ``CELLS``; -1 without a finite logit."""
        return cells(self.label, self.logit, self.threshold, self.positive)

    @cached_property
    def wrong(self) -> NDArray[np.float32]:
        """``(N, A)``: 1 for FP and FN, 0 for TP and TN, NaN without label or logit."""
        return np.array([0, 1, 1, 0, np.nan, np.nan, np.nan], np.float32)[self.cell]

    @cached_property
    def predicted(self) -> NDArray[np.float32]:
        """``(N, A)``: 1 for images predicted positive, 0 for those predicted negative, NaN without a finite logit."""
        return np.array([1, 1, 0, 0, 1, 0, np.nan], np.float32)[self.cell]

    def label_of(self, attribute: str) -> NDArray[np.float32]:
        """Return the labels of an attribute, ``(N,)``."""
        return self.label[:, self.attributes.index(attribute)]

    def column(self, name: str) -> NDArray[np.float32]:
        """Return a measure, ``(N, A)``."""
        return self.values[..., self.columns.index(name)]

    def member(self, group: str) -> NDArray[np.bool_]:
        """Find the images in a group of ``GROUPS``, ``(N, A)``."""
        result = np.empty(self.cell.shape, bool)
        for sign in (1, -1):
            attributes = self.minority == sign
            inside = np.append(MEMBERSHIP[BASIC.index(basic_name(group, sign))] > 0, False)
            result[:, attributes] = inside[self.cell[:, attributes]]
        return result

    def select(self, attributes: Sequence[str]) -> Panel:
        """Return the records of some attributes, in the order given."""
        order = [self.attributes.index(name) for name in attributes]
        return Panel(
            tuple(attributes),
            self.rows,
            self.label[:, order],
            self.logit[:, order],
            self.threshold[:, order],
            self.minority[order],
            self.clusters,
            self.columns,
            self.values[:, order],
            self.groups,
            self.skipped,
            None if self.positive is None else self.positive[:, order],
            {name: members for name, members in self.one_of.items() if set(members) <= set(attributes)},
            self.large,
            self.true,
        )

    @property
    def divisible(self) -> tuple[str, ...]:
        """What the images can be divided by besides their groups: attributes, sets and their outputs."""
        rows = {slot for name in self.large for slot in slots(name)}
        of_large = (output for members in self.large.values() for output in members)
        own = (name for name in self.attributes if name not in rows)
        return (*own, *self.one_of, *of_large, *self.large)

    def true_output(self, name: str) -> NDArray[np.int64]:
        """Return the true output of a set ``(N,)``, an index into its outputs; -1 where it is unknown."""
        if name in self.true:
            return self.true[name]
        return true_outputs(self.label[:, [self.attributes.index(output) for output in self.one_of[name]]])


def read_panel(audit: Audit, columns: Sequence[str] | None = None) -> Panel:
    """Read an audit's records as arrays: 4 bytes for each image, attribute and column.

    Args:
        audit: The audit; it may be without a summary.
        columns: Measures to read; all by default.

    Raises:
        InputError: An image lacks some of its records, or no image could be read.
    """
    wanted = audit.measures if columns is None else tuple(columns)
    A = len(audit.attributes)
    capacity = audit.most_images * A
    values = np.empty((capacity, len(wanted)), np.float32)  # filled shard by shard: most of a summary's memory
    keys: dict[str, list[NDArray[Any]]] = {name: [] for name in ("row", "label", "logit", "threshold")}
    count = 0
    of_sets = ["outcome"] if audit.one_of else []
    outcomes: list[NDArray[Any]] = []
    for part in audit.record_parts([*keys, *of_sets, *wanted]):
        start, count = count, count + part.num_rows
        if count > capacity or count % A:
            raise InputError(
                f"{audit.folder}: got {count} records, expected {A} for each of at most {capacity // A} images; make "
                "the audit again"
            )
        for name, parts in keys.items():
            parts.append(part[name].to_numpy())
        if of_sets:
            outcomes.append(part["outcome"].to_pandas().astype(str).to_numpy())
        for number, name in enumerate(wanted):
            values[start:count, number] = part[name].to_numpy()
    images = audit.images
    skipped = int((images["skipped"] != "").sum())
    if not count:
        raise InputError(
            f"{audit.folder}: no image was read ({skipped} were skipped), so there is nothing to summarise"
        )
    row, label, logit, threshold = (np.concatenate(parts).reshape(-1, A) for parts in keys.values())
    rows = row[:, 0].astype(np.int64)
    images = images.set_index("row", drop=False).loc[rows]  # in the order of the records
    positive, sets, large = None, audit.one_of, audit.manifest.large_sets
    true = recorded_true_outputs(audit.record_parts(TRUE_OUTPUT_COLUMNS), audit.attributes, sets) if large else {}
    if sets:
        positive = _decisions(audit, logit, threshold, np.concatenate(outcomes).reshape(-1, A))
    return Panel(
        attributes=audit.attributes,
        rows=rows,
        label=label,
        logit=logit,
        threshold=threshold,
        minority=np.array([_minority(audit, name) for name in audit.attributes]),
        clusters=Clusters.of(images["identity"].astype(str)),
        columns=wanted,
        values=values[:count].reshape(len(rows), A, len(wanted)),
        groups={name: images[name].astype(str).to_numpy() for name in images.columns if name.startswith("group.")},
        skipped=skipped,
        positive=positive,
        one_of={name: members for name, members in sets.items() if name not in large},
        large={name: sets[name] for name in large},
        true=true,
    )


def _decisions(
    audit: Audit, logit: NDArray[np.float32], threshold: NDArray[np.float32], outcome: NDArray[Any]
) -> NDArray[np.bool_]:
    """Decide the records ``(N, A)`` of an audit with sets: those of sets by the stored scores.

    Raises:
        InputError: The decisions are not those of the recorded outcomes.
    """
    scores, positive = audit.scores(), np.asarray(is_positive(logit, threshold))
    if len(scores) != len(logit):
        raise InputError(
            f"{audit.folder}: scores of {len(scores)} images, records of {len(logit)}; make the audit again"
        )
    place = {name: a for a, name in enumerate(audit.attributes)}
    for name, at in columns_of_scores(audit.one_of).items():
        if name in audit.manifest.large_sets:
            for slot in slots(name):
                positive[:, place[slot]] = np.isin(outcome[:, place[slot]], ("TP", "FP"))
            continue
        predicted = predicted_outputs(scores[:, at])
        for k, output in enumerate(audit.one_of[name]):
            positive[:, place[output]] = predicted == k
            recorded = outcome[:, place[output]]
            wrong = np.isin(recorded, ("TP", "FP")) != ((predicted == k) & (recorded != ""))
            if wrong.any():
                raise InputError(
                    f"{audit.folder}: {int(wrong.sum())} outcomes of {output!r} are not those of the scores (first: "
                    f"image {int(wrong.argmax())} of the records); make the audit again"
                )
    return positive


def _minority(audit: Audit, name: str) -> int:
    """The rarer class of a row's output; the rows of large sets have none, and count as positive."""
    return audit.minority(name) if name in audit.manifest.train_counts else 1
