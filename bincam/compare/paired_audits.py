"""Two audits of the same images, aligned image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.manifest import MaskSource
from bincam.audit.folder.parts.sampled import readable
from bincam.audit.folder.schema import LEDGER, MASK_MEASURES, measure_columns
from bincam.audit.summary.panel import Panel, read_panel
from bincam.audit.summary.reference_split.thresholds import KEY
from bincam.compare.cells import CELLS_COMPARED, same_cells
from bincam.compare.names import names_of
from bincam.compare.sets.matching import Common
from bincam.compare.sets.pairs import OutputPair, SetPair, in_common, pair_sets
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.one_of import check_no_threshold
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import answers

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

COMPARED = ("energy", "lift", "gain", "empty", "published_energy", "concentration")
"""Measures of maps that are compared, of every method that both audits have."""


REFERENCE_SPLIT = "reference split"
"""Origin of adjusted thresholds that an audit chose on its reference split."""


@dataclass(frozen=True)
class Pair:
    """Records of the N images and A attributes that both audits have.

    Attributes:
        first: Records of the first model, such as the unbalanced one.
        second: Records of the second model, such as the balanced one. The minority is the first's.
        methods: Specs that both audits have, the first audit's primary one first.
        moved: ``(A,)``: adjusted thresholds for the first model, in logit units; NaN where none is known.
        moved_from: Their origin; empty where there are none.
        images: Names of the images, of ``images.parquet``.
        common: The outputs and sets that the audits have in common, by name.
        sets: The sets of outputs that both have.
        outputs: The outputs that both have but state differently.
        looked_at: Number of images that were looked for in both audits: all, or a sample of long ones.
    """

    first: Panel
    second: Panel
    methods: tuple[str, ...]
    moved: NDArray[np.float64]
    moved_from: str
    images: tuple[str, ...]
    common: Common
    sets: tuple[SetPair, ...] = ()
    outputs: tuple[OutputPair, ...] = ()
    looked_at: int = 0

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the A attributes, in the order of the first audit."""
        return self.first.attributes

    @property
    def clusters(self) -> Clusters:
        """Clusters of the N images."""
        return self.first.clusters

    @cached_property
    def answers(self) -> NDArray[np.int8]:
        """``(3, N, A)``: answers of the first model, of the first at its adjusted threshold, and of the second.

        +1 or -1; 0 without a finite logit or an adjusted threshold.
        """
        first, second = self.first, self.second
        decisions = ((first, first.threshold), (first, self.moved), (second, second.threshold))
        return np.stack([answers(panel.logit, threshold) for panel, threshold in decisions])

    @cached_property
    def wrong(self) -> NDArray[np.float32]:
        """``(3, N, A)``: 1 where an answer is not the label, 0 where it is, NaN where either is unknown."""
        truth = np.where(self.first.label > 0, 1, -1)
        decided = np.isfinite(self.first.label) & (self.answers != 0)
        return np.where(decided, self.answers != truth, np.nan).astype(np.float32)


def pair_audits(
    first: Audit, second: Audit, moved: Mapping[str, float] | None = None, moved_from: str = "given"
) -> Pair:
    """Align the records of two audits.

    Args:
        first: Audit of the first model.
        second: Audit of the second model.
        moved: Adjusted thresholds for the first model, tuned on validation images, in logit units; by default those
            of its card, else those that its audit chose on the reference split.
        moved_from: Origin of ``moved``.

    Raises:
        InputError: The audits differ in images, labels, sides, regions or masks; they have no attribute or method in
            common; or a threshold is that of an unknown attribute.
    """
    _check_images(first, second)
    common = in_common(first, second, names_of(first, second))
    names = list(common.attributes)
    if not (names or common.sets or common.outputs):
        reasons = "".join(
            f"; set {name!r} of {audit.folder} is not compared: {reason}"
            for audit, left_out in zip((first, second), common.left_out, strict=True)
            for name, reason in left_out.items()
        )
        raise InputError(f"{first.folder} and {second.folder}: no attribute in common{reasons}")
    masks = tuple(name for name in first.masks if name in second.masks)
    _check_settings(first, second, masks, common)
    methods = tuple(name for name in first.methods if name in second.methods)
    if not methods:
        raise InputError(
            f"{first.folder} and {second.folder}: no method in common ({', '.join(first.methods)}; "
            f"{', '.join(second.methods)})"
        )
    cells = same_cells(first, second)
    columns = [name for name in measure_columns(methods, masks, cells=cells) if _is_compared(name)]
    first, second = readable(first), readable(second)  # the same images of both
    whole = read_panel(first, columns), read_panel(second, columns)
    panels = [panel.select(names) for panel in whole]
    rows = np.intersect1d(panels[0].rows, panels[1].rows)
    panel, other_panel = (_rows(panel, rows) for panel in panels)
    sets, outputs = pair_sets((first, second), whole, common, rows, panel.clusters)
    _check_labels(first, second, panel, other_panel)
    limits, source = _adjusted_thresholds(first, moved, moved_from)
    images = first.images.set_index("row").loc[rows, "image"].astype(str)
    thresholds = np.array([limits.get(name, np.nan) for name in names])
    return Pair(
        panel, other_panel, methods, thresholds, source, tuple(images), common, sets, outputs, first.most_images
    )


def _check_settings(first: Audit, second: Audit, masks: Sequence[str], common: Common) -> None:
    """Refuse audits whose maps, of attributes or of outputs of sets, answer different questions."""
    named = [(name, name) for name in (*common.attributes, *common.outputs)]
    for name, other in common.sets.items():
        members, others = first.one_of[name], second.one_of[other]
        named += [(member, others[place]) for member, place in zip(members, common.order[name], strict=True)]
    settings_of_second = _measured_with(second, masks)
    for what, setting in _measured_with(first, masks).items():
        other_setting = settings_of_second[what]
        if not _alike(setting, other_setting, named):
            raise InputError(
                f"{first.folder} and {second.folder}: audited with different {what} ({_source(setting)}, "
                f"{_source(other_setting)}); their maps cannot be compared, repeat one audit with the other's {what}"
            )


def _alike(setting: Any, other: Any, named: Sequence[tuple[str, str]]) -> bool:
    """Compare a setting; regions by what they are of the outputs that both audits have, by their names in each."""
    if not isinstance(setting, MaskSource) and not isinstance(other, MaskSource):
        return bool(setting == other)
    own, theirs = ({} if source is None else source.by_attribute for source in (setting, other))
    if own is None or theirs is None:
        return setting is not None and other is not None and bool(setting.digest == other.digest)
    return all(own.get(name) == theirs.get(called) for name, called in named)


def _measured_with(audit: Audit, masks: Sequence[str]) -> dict[str, Any]:
    """The settings that maps depend on, by their name in messages."""
    manifest = audit.manifest
    return {
        "sides": manifest.side,
        "views": manifest.views,
        "references of maps": manifest.map_reference,
        "regions": manifest.regions,
        **{f"{name} masks": manifest.masks_digest.get(name) for name in masks},
    }


def _is_compared(column: str) -> bool:
    measure = column.rpartition(".")[2]
    masked = {f"{mask}_{name}" for mask in ("object", "influence") for name in MASK_MEASURES}
    return measure in COMPARED or measure in masked or measure == LEDGER[0] or column in CELLS_COMPARED


def _check_images(first: Audit, second: Audit) -> None:
    data, other_data = first.manifest.data, second.manifest.data
    if data.images_hash == other_data.images_hash:
        return
    names = [list(audit.images["image"].astype(str)) for audit in (first, second)]
    only = [sorted(set(a) - set(b)) for a, b in (names, names[::-1])]
    if only[0] or only[1]:
        reason = "; ".join(
            f"{len(extra)} only in {audit.folder} (first: {extra[0]})"
            for extra, audit in zip(only, (first, second), strict=True)
            if extra
        )
    elif names[0] != names[1]:
        at = next(n for n, (a, b) in enumerate(zip(*names, strict=False)) if a != b)
        reason = f"another order, from position {at} on ({names[0][at]}, {names[1][at]})"
    else:
        reason = "files of the same names with different contents"
    raise InputError(
        f"{first.folder} and {second.folder}: not the same images: {reason}; of split {data.split!r} and "
        f"{other_data.split!r}; audit both models on the same images"
    )


def _check_labels(first: Audit, second: Audit, panel: Panel, other_panel: Panel) -> None:
    label, other_label = panel.label, other_panel.label
    same = (label == other_label) | (np.isnan(label) & np.isnan(other_label))
    if same.all():
        return
    n, a = np.argwhere(~same)[0]
    image = first.images.set_index("row").loc[panel.rows[n], "image"]
    raise InputError(
        f"{first.folder} and {second.folder}: {counted(int((~same).sum()), 'differing label')} (first: {image}, "
        f"{panel.attributes[a]}: {label[n, a]:g} and {other_label[n, a]:g}); audit both with the same labels"
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


def _adjusted_thresholds(
    first: Audit, thresholds: Mapping[str, float] | None, source: str
) -> tuple[Mapping[str, float], str]:
    """The adjusted thresholds by attribute, and their origin: given, of the card, or chosen on the reference split."""
    if thresholds is not None:
        for name, value in thresholds.items():
            check_no_threshold([name], first.one_of, "moved")
            if name not in first.attributes:
                raise InputError(f"adjusted threshold of unknown attribute {name!r}{nearest(name, first.attributes)}")
            if not np.isfinite(value):
                raise InputError(f"adjusted threshold of {name}: got {value}, expected a finite number in logit units")
        return thresholds, source
    if limits := first.manifest.model.card.get("tuned_thresholds"):
        return limits, "card"
    entries: Mapping[str, Any] = (first.summary or {}).get("attributes") or {}
    chosen = {name: float(entry[KEY]["threshold"]) for name, entry in entries.items() if entry.get(KEY)}
    return chosen, REFERENCE_SPLIT if chosen else ""


def _source(setting: Any) -> str:
    return setting.source if isinstance(setting, MaskSource) else str(setting)
