"""An audit's records as arrays, its images by group, and the people they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.columns import OUTCOMES, measure_columns
from bincam.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

    from bincam.audit.store import Audit

CELLS = (*OUTCOMES, "P?", "N?")
"""Disjoint cells of an attribute's images: outcomes, and those without a label by what was answered."""

_MEMBERS = {
    "all": CELLS,
    "predicted:positive": ("TP", "FP", "P?"),
    "predicted:negative": ("FN", "TN", "N?"),
    "true:positive": ("TP", "FN"),
    "true:negative": ("FP", "TN"),
    **{f"outcome:{name}": (name,) for name in OUTCOMES},
}
BASIC = tuple(_MEMBERS)
"""Groups that do not depend on which class is the minority."""

GROUPS = (
    "all",
    *(f"{kind}:{part}" for kind in ("predicted", "true") for part in ("positive", "negative", "minority", "majority")),
    *(f"outcome:{name}" for name in OUTCOMES),
)
"""All groups, as they are named in summaries and rules."""

ERROR_RATES = {
    "error": "all",
    "fnr": "true:positive",
    "fpr": "true:negative",
    "minority_error": "true:minority",
    "majority_error": "true:majority",
}
"""Rates that are the share of wrong answers in one group; these have means over attributes, and slices."""

MEMBERSHIP: NDArray[np.float32] = np.array([[cell in _MEMBERS[g] for cell in CELLS] for g in BASIC], np.float32)
"""``(len(BASIC), len(CELLS))``: which cells a group is made of."""


def basic_name(group: str, minority: int) -> str:
    """The group of ``BASIC`` that a group is, for an attribute whose minority class is ``minority`` (+1 or -1)."""
    kind, _, part = group.partition(":")
    if part not in ("minority", "majority"):
        return group
    sign = minority if part == "minority" else -minority
    return f"{kind}:{'positive' if sign > 0 else 'negative'}"


@dataclass(frozen=True)
class Clusters:
    """Which images show one person. Without identities every image is its own cluster.

    Attributes:
        codes: ``(N,)``, from 0 on.
        known: Whether the data names identities.
    """

    codes: NDArray[np.int64]
    known: bool

    @classmethod
    def of(cls, identities: Iterable[str]) -> Clusters:
        """Clusters of N names; an image with an empty name is somebody of its own."""
        names = np.asarray(list(identities), object)
        blank = names == ""
        if blank.all():
            return cls(np.arange(len(names)), known=False)
        alone = np.array([f"\0{n}" for n in range(len(names))], object)
        return cls(np.unique(np.where(blank, alone, names).astype(str), return_inverse=True)[1].astype(np.int64), True)

    @property
    def count(self) -> int:
        """K, their number."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    @property
    def bootstrap(self) -> str:
        """What a bootstrap that draws these clusters is called in an estimate."""
        return "bootstrap over identities" if self.known else "bootstrap"

    @cached_property
    def sums(self) -> csr_array:
        """``(K, N)``: times values ``(N, ...)``, their sums per cluster."""
        from scipy.sparse import csr_array

        n = len(self.codes)
        return csr_array((np.ones(n, np.float32), (self.codes, np.arange(n))), shape=(self.count, n))

    def identities(self, member: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """How many people are in each cell: ``(N, ...)`` to ``(...)``; None where identities are not known."""
        if not self.known:
            return None
        flat = member.reshape(len(member), -1).astype(np.float32)
        people: NDArray[np.int64] = ((self.sums @ flat) > 0).sum(0).reshape(member.shape[1:])
        return people

    def weights(self, resamples: int, seed: int) -> NDArray[np.float32]:
        """How often each cluster is drawn when K of them are drawn with replacement: ``(K, R)``, each column sums to K.

        4·K·R bytes.
        """
        rng = np.random.default_rng(seed)
        K = self.count
        result = np.zeros((K, resamples), np.float32)
        block = max(1, 4_000_000 // max(K, 1))
        for start in range(0, resamples, block):
            width = min(block, resamples - start)
            drawn = rng.integers(0, max(K, 1), (K, width)) * width + np.arange(width)
            result[:, start : start + width] = np.bincount(drawn.ravel(), minlength=K * width).reshape(K, width)
        return result


@dataclass(frozen=True)
class Panel:
    """Records of N images that were read and A attributes.

    Attributes:
        attributes: Their names.
        rows: ``(N,)``: the images' rows in ``images.parquet``.
        label: ``(N, A)``: 1, 0, NaN.
        logit: ``(N, A)``.
        threshold: ``(N, A)``, in logit units.
        minority: ``(A,)``: the class that was rarer in training, +1 or -1.
        clusters: Of the N images.
        columns: Names of the measures.
        values: ``(N, A, C)`` float32, the measures; NaN where undefined.
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

    @cached_property
    def cell(self) -> NDArray[np.int8]:
        """``(N, A)``: index into ``CELLS``; -1 without a finite logit."""
        return cells(self.label, self.logit, self.threshold)

    @cached_property
    def wrong(self) -> NDArray[np.float32]:
        """``(N, A)``: 1 for FP and FN, 0 for TP and TN, NaN without label or logit."""
        return np.array([0, 1, 1, 0, np.nan, np.nan, np.nan], np.float32)[self.cell]

    def column(self, name: str) -> NDArray[np.float32]:
        """``(N, A)``: a measure."""
        return self.values[..., self.columns.index(name)]

    def member(self, group: str) -> NDArray[np.bool_]:
        """``(N, A)``: which images are in a group of ``GROUPS``."""
        result = np.empty(self.cell.shape, bool)
        for sign in (1, -1):
            picked = self.minority == sign
            inside = np.append(MEMBERSHIP[BASIC.index(basic_name(group, sign))] > 0, False)
            result[:, picked] = inside[self.cell[:, picked]]
        return result

    def select(self, attributes: Sequence[str]) -> Panel:
        """The same images, some attributes, in the order given."""
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
        )


def cells(
    label: NDArray[np.floating], logit: NDArray[np.floating], threshold: NDArray[np.floating]
) -> NDArray[np.int8]:
    """Indices into ``CELLS`` of images ``(N, A)``: a logit at its threshold is positive, one not finite is -1."""
    yes = logit >= threshold
    with_label = np.where(yes, np.where(label > 0, 0, 1), np.where(label > 0, 2, 3))
    cell = np.where(np.isnan(label), np.where(yes, 4, 5), with_label)
    return np.where(np.isfinite(logit), cell, -1).astype(np.int8)


def read_panel(audit: Audit, columns: Sequence[str] | None = None) -> Panel:
    """Records of an audit as arrays: 4 bytes for each image, attribute and column.

    Args:
        audit: The audit; a summary is not needed.
        columns: Measures to read; all by default.

    Raises:
        InputError: The records are no whole images, or there is no image.
    """
    wanted = tuple(measure_columns(audit.methods, audit.masks)) if columns is None else tuple(columns)
    A = len(audit.attributes)
    most = int(audit.manifest["data"]["images"]) * A
    values = np.empty((most, len(wanted)), np.float32)  # filled shard by shard: this is most of a summary's memory
    held: dict[str, list[NDArray[Any]]] = {name: [] for name in ("row", "label", "logit", "threshold")}
    count = 0
    for part in audit.record_parts([*held, *wanted]):
        start, count = count, count + part.num_rows
        if count > most or count % A:
            raise InputError(
                f"{audit.folder}: {count} records are no whole images of {A} attributes each, or of more than "
                f"{most // A}"
            )
        for name, parts in held.items():
            parts.append(part[name].to_numpy())
        for number, name in enumerate(wanted):
            values[start:count, number] = part[name].to_numpy()
    if not count:
        skipped = int((audit.images["skipped"] != "").sum())
        raise InputError(f"{audit.folder}: no image was read ({skipped} were skipped), so there is nothing to sum up")
    row, label, logit, threshold = (np.concatenate(parts).reshape(-1, A) for parts in held.values())
    rows = row[:, 0].astype(np.int64)
    return Panel(
        attributes=audit.attributes,
        rows=rows,
        label=label,
        logit=logit,
        threshold=threshold,
        minority=np.array([audit.minority(name) for name in audit.attributes]),
        clusters=Clusters.of(images_of(audit, rows)["identity"].astype(str)),
        columns=wanted,
        values=values[:count].reshape(len(rows), A, len(wanted)),
    )


def images_of(audit: Audit, rows: NDArray[Any]) -> pd.DataFrame:
    """The rows of ``images.parquet`` that were read, in the order of the records."""
    return audit.images.set_index("row", drop=False).loc[rows]
