"""Two audits of the same images, aligned image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.sampled import readable
from bincam.audit.summary.panel import Panel, read_panel
from bincam.compare.pairs.matched import REFERENCE_SPLIT, adjusted_thresholds, differing_labels, match_audits
from bincam.compare.pairs.paired import Decided
from bincam.compare.sets.matching import Common
from bincam.compare.sets.pairs import OutputPair, SetPair, pair_sets
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import answers

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

__all__ = ["REFERENCE_SPLIT", "Pair", "pair_audits"]


@dataclass(frozen=True)
class Pair:
    """Records of the N images and A attributes that both audits have.

    Attributes:
        first: Records of the first model, such as the unbalanced one.
        second: Records of the second model, such as the balanced one. The minority is the first's.
        methods: Specs that both audits have, the first audit's primary one first.
        moved: ``(A,)``: adjusted thresholds for the first model, in logit units; NaN where none is known.
        moved_from: Their origin; empty where there are none.
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
    common: Common
    sets: tuple[SetPair, ...] = ()
    outputs: tuple[OutputPair, ...] = ()
    looked_at: int = 0

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the A attributes, in the order of the first audit."""
        return self.first.attributes

    @property
    def minority(self) -> NDArray[np.int64]:
        """``(A,)``: the class that was rarer in the first model's training, +1 or -1."""
        return self.first.minority

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the measures."""
        return self.first.columns

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(N,)``: the images' rows in ``images.parquet``."""
        return self.first.rows

    @property
    def audited(self) -> NDArray[np.float32]:
        """``(A,)``: thresholds of the first model, those of the first image."""
        threshold = self.first.threshold
        return threshold[0] if len(threshold) else np.zeros(len(self.attributes), np.float32)

    @property
    def set_images(self) -> int:
        """Number of images that sets and single outputs were looked at on: the same."""
        return self.looked_at

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

    def decided(self, a: int) -> Decided:
        """Return the labels and answers of attribute ``a``."""
        return Decided(int(self.minority[a]), self.first.label[:, a], self.answers[:, :, a], self.wrong[:, :, a])

    def with_groups(self, audit: Audit) -> Panel:
        """Return the first model's records with the groups of their images, which its audit names."""
        images = audit.images.set_index("row").loc[self.first.rows]
        groups = {name: images[name].astype(str).to_numpy() for name in images.columns if name.startswith("group.")}
        return replace(self.first, groups=groups)


def pair_audits(
    first: Audit, second: Audit, moved: Mapping[str, float] | None = None, moved_from: str = "given"
) -> Pair:
    """Align the records of two audits; of long ones, those of a sample of the images.

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
    matched = match_audits(first, second)
    names, common = list(matched.common.attributes), matched.common
    first, second = readable(first), readable(second)  # the same images of both
    whole = read_panel(first, matched.columns), read_panel(second, matched.columns)
    panels = [panel.select(names) for panel in whole]
    rows = np.intersect1d(panels[0].rows, panels[1].rows)
    panel, other_panel = (_rows(panel, rows) for panel in panels)
    sets, outputs = pair_sets((first, second), whole, common, rows, panel.clusters)
    _check_labels(first, second, panel, other_panel)
    thresholds, source = adjusted_thresholds(first, names, moved, moved_from)
    return Pair(panel, other_panel, matched.methods, thresholds, source, common, sets, outputs, first.most_images)


def _check_labels(first: Audit, second: Audit, panel: Panel, other_panel: Panel) -> None:
    label, other_label = panel.label, other_panel.label
    same = (label == other_label) | (np.isnan(label) & np.isnan(other_label))
    if same.all():
        return
    n, a = np.argwhere(~same)[0]
    image = first.images.set_index("row").loc[panel.rows[n], "image"]
    example = f"{image}, {panel.attributes[a]}: {label[n, a]:g} and {other_label[n, a]:g}"
    raise differing_labels(first, second, int((~same).sum()), example)


def _rows(panel: Panel, rows: NDArray[np.int64]) -> Panel:
    kept = np.searchsorted(panel.rows, rows)
    return Panel(
        panel.attributes,
        rows,
        panel.label[kept],
        panel.logit[kept],
        panel.threshold[kept],
        panel.minority,
        panel.clusters.among(kept),
        panel.columns,
        panel.values[kept],
    )
