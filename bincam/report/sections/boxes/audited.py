"""The boxes of audited models: their summaries and records, as the section reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.boxes import BoxRecords, read_boxes
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.report.figures.pictured.boxes import BoxCurves
from bincam.report.reading.audited_model import Arm
from bincam.stats.estimate import Estimate

PATHS: Mapping[str, tuple[str, ...]] = {
    "fixed": ("known", "fixed"),
    "chosen": ("known", "chosen"),
    "max": ("known", "max_box_acc"),
    "v2": ("known", "v2"),
    "top_1": ("top_1", "fixed"),
}
"""Keys of figures that are not at the top of an entry."""


@dataclass(frozen=True)
class ArmBoxes:
    """The boxes of one model.

    Attributes:
        arm: The model.
        summary: ``boxes`` of its summary.
        records: The rows of its files of boxes.
    """

    arm: Arm
    summary: Mapping[str, Any]
    records: BoxRecords

    def entry(self, attribute: str) -> Mapping[str, Any]:
        """Return the entry of an attribute, or of ``overall``."""
        entry: Mapping[str, Any] = (
            self.summary["overall"] if attribute == "overall" else self.summary["attributes"][attribute]
        )
        return entry

    def figure(self, attribute: str, name: str) -> Estimate:
        """Return an estimate of an attribute, or of ``overall``; undefined where there is none."""
        value: Any = self.entry(attribute)
        for key in PATHS.get(name, (name,)):
            value = (value or {}).get(key)
        return Estimate.from_json(value)

    @property
    def level(self) -> float:
        """τ that was chosen on the reference split; NaN without one."""
        level = (self.summary["reference"] or {}).get("level")
        return float("nan") if level is None else float(level)

    def measured(self, attribute: str) -> BoxRecords:
        """Return the rows of an attribute that have a true box."""
        return self.records.of(attribute).measured

    def curves(self, attribute: str) -> BoxCurves:
        """Compute the accuracies over the threshold; a map without a box is a miss."""
        rows = self.measured(attribute)
        delta = float(self.summary["delta"])

        def hits(name: str) -> NDArray[np.float64]:
            found = rows.hits(name, delta)
            return found.mean(0, dtype=np.float64) if len(found) else np.full(len(LEVELS), np.nan)

        fixed = {"reach of the grid": "reach", "constant box": "constant", "centred box": "centred"}
        return BoxCurves(
            levels=np.asarray(LEVELS),
            one=hits("one"),
            projected=hits("projected_one"),
            fixed={text: self.figure(attribute, name).value for text, name in fixed.items()},
            marks={".2": 0.2} if abs(self.level - 0.2) < 0.03 else {".2": 0.2, "chosen": self.level},
        )


def audited_boxes(arms: Sequence[Arm]) -> list[ArmBoxes]:
    """Return the boxes of the models that have measured some; of two, only if both have."""
    found = [
        ArmBoxes(arm, arm.summary["boxes"], read_boxes(arm.audit.folder, arm.audit.shards, arm.sample.some_rows))
        for arm in arms
        if arm.audit.manifest.boxes is not None and arm.summary.get("boxes")
    ]
    return found if len(found) == len(arms) else []
