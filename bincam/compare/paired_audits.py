"""Two audits of the same images, made ready to be compared image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.manifest import MaskSource
from bincam.audit.folder.schema import LEDGER, MASK_MEASURES, measure_columns
from bincam.audit.summary.panel import Panel, read_panel
from bincam.errors import InputError, nearest
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import answers

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

COMPARED = ("energy", "lift", "gain", "empty", "published_energy", "concentration")
"""Measures of maps that are compared, of every method that both audits have."""


@dataclass(frozen=True)
class Pair:
    """Records of the N images that both models were given, for the A attributes that both answer.

    Attributes:
        first: Of the model that is compared, such as the unbalanced one.
        second: Of the model it is compared with, such as the balanced one. The minority is the first's.
        methods: Specs that both audits have, the first audit's primary one first.
        moved: ``(A,)``: other thresholds for the first model, in logit units; NaN where none is known.
        moved_from: Where they came from; empty where there are none.
        images: What ``images.parquet`` calls the images.
    """

    first: Panel
    second: Panel
    methods: tuple[str, ...]
    moved: NDArray[np.float64]
    moved_from: str
    images: tuple[str, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """In the order of the first audit."""
        return self.first.attributes

    @property
    def clusters(self) -> Clusters:
        """Of the N images."""
        return self.first.clusters

    @cached_property
    def answers(self) -> NDArray[np.int8]:
        """``(3, N, A)``: answers of the first model, of the first at its adjusted threshold, and of the second.

        +1 or -1; 0 without a logit or a moved threshold.
        """
        first, second = self.first, self.second
        decided = ((first, first.threshold), (first, self.moved), (second, second.threshold))
        return np.stack([answers(panel.logit, threshold) for panel, threshold in decided])

    @cached_property
    def wrong(self) -> NDArray[np.float32]:
        """``(3, N, A)``: 1 where an answer is not the label, 0 where it is, NaN where either is unknown."""
        truth = np.where(self.first.label > 0, 1, -1)
        known = np.isfinite(self.first.label) & (self.answers != 0)
        return np.where(known, self.answers != truth, np.nan).astype(np.float32)


def pair_audits(
    first: Audit, second: Audit, moved: Mapping[str, float] | None = None, moved_from: str = "given"
) -> Pair:
    """Bring two audits together.

    Args:
        first: Of the model that is compared.
        second: Of the model it is compared with.
        moved: Thresholds for the first model that were tuned on validation images, in logit units; by default those
            of its card.
        moved_from: Where ``moved`` came from.

    Raises:
        InputError: Other images, labels, sides, regions or masks; no common attribute or method; a threshold of an
            unknown attribute.
    """
    _check_images(first, second)
    masks = tuple(name for name in first.masks if name in second.masks)
    used = _used(second, masks)
    for what, one in _used(first, masks).items():
        other = used[what]
        digest = [value.digest if isinstance(value, MaskSource) else value for value in (one, other)]
        if digest[0] != digest[1]:
            raise InputError(
                f"{first.folder} and {second.folder}: audited with other {what} ({_said(one)}, {_said(other)}); their "
                f"maps cannot be compared, make one audit again"
            )
    names = [name for name in first.attributes if name in second.attributes]
    if not names:
        raise InputError(f"{first.folder} and {second.folder}: no attribute in common")
    methods = tuple(name for name in first.methods if name in second.methods)
    if not methods:
        raise InputError(
            f"{first.folder} and {second.folder}: no method in common ({', '.join(first.methods)}; "
            f"{', '.join(second.methods)})"
        )
    columns = [name for name in measure_columns(methods, masks) if _is_compared(name)]
    one, other = (read_panel(audit, columns).select(names) for audit in (first, second))
    rows = np.intersect1d(one.rows, other.rows)
    one, other = _rows(one, rows), _rows(other, rows)
    _check_labels(first, second, one, other)
    limits, source = _moved(first, moved, moved_from)
    images = first.images.set_index("row").loc[rows, "image"].astype(str)
    return Pair(one, other, methods, np.array([limits.get(name, np.nan) for name in names]), source, tuple(images))


def _used(audit: Audit, masks: Sequence[str]) -> dict[str, Any]:
    """What an audit measured with, by what it is called."""
    manifest = audit.manifest
    return {
        "sides": manifest.side,
        "regions": manifest.regions,
        **{f"{name} masks": manifest.masks_digest.get(name) for name in masks},
    }


def _is_compared(column: str) -> bool:
    measure = column.rpartition(".")[2]
    masked = {f"{mask}_{name}" for mask in ("object", "influence") for name in MASK_MEASURES}
    return measure in COMPARED or measure in masked or measure == LEDGER[0]


def _check_images(first: Audit, second: Audit) -> None:
    one, other = first.manifest.data, second.manifest.data
    if one.images_hash == other.images_hash:
        return
    names = [list(audit.images["image"].astype(str)) for audit in (first, second)]
    only = [sorted(set(a) - set(b)) for a, b in (names, names[::-1])]
    if only[0] or only[1]:
        told = "; ".join(
            f"{len(extra)} only in {audit.folder} (first: {extra[0]})"
            for extra, audit in zip(only, (first, second), strict=True)
            if extra
        )
    elif names[0] != names[1]:
        at = next(n for n, (a, b) in enumerate(zip(*names, strict=False)) if a != b)
        told = f"another order, from position {at} on ({names[0][at]}, {names[1][at]})"
    else:
        told = "files of the same names with other contents"
    raise InputError(
        f"{first.folder} and {second.folder}: not the same images: {told}; of split {one.split!r} and "
        f"{other.split!r}; audit both models on the same images"
    )


def _check_labels(first: Audit, second: Audit, one: Panel, other: Panel) -> None:
    same = (one.label == other.label) | (np.isnan(one.label) & np.isnan(other.label))
    if same.all():
        return
    n, a = np.argwhere(~same)[0]
    image = first.images.set_index("row").loc[one.rows[n], "image"]
    raise InputError(
        f"{first.folder} and {second.folder}: {int((~same).sum())} labels differ (first: {image}, "
        f"{one.attributes[a]}: {one.label[n, a]:g} and {other.label[n, a]:g}); audit both with the same labels"
    )


def _rows(panel: Panel, rows: NDArray[np.int64]) -> Panel:
    kept = np.searchsorted(panel.rows, rows)
    codes = np.unique(panel.clusters.codes[kept], return_inverse=True)[1].astype(np.int64)
    return Panel(
        panel.attributes,
        rows,
        panel.label[kept],
        panel.logit[kept],
        panel.threshold[kept],
        panel.minority,
        Clusters(codes, panel.clusters.known),
        panel.columns,
        panel.values[kept],
    )


def _moved(first: Audit, given: Mapping[str, float] | None, source: str) -> tuple[Mapping[str, float], str]:
    if given is not None:
        for name, value in given.items():
            if name not in first.attributes:
                raise InputError(f"moved threshold of unknown attribute {name!r}{nearest(name, first.attributes)}")
            if not np.isfinite(value):
                raise InputError(f"moved threshold of {name}: {value} is no logit")
        return given, source
    limits = first.manifest.model.card.get("tuned_thresholds") or {}
    return limits, "card" if limits else ""


def _said(value: Any) -> str:
    return value.source if isinstance(value, MaskSource) else str(value)
