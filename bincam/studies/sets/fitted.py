"""A rule that makes label sets of scores, as a study stores it and later images are given their sets by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bincam.errors import InputError
from bincam.postprocessing.average_k import AverageK
from bincam.postprocessing.calibration_split import CalibrationSplit
from bincam.postprocessing.conformal import ConformalThresholds
from bincam.postprocessing.conformal_adaptive import AdaptiveThreshold
from bincam.postprocessing.label_sets import LabelSets, Ties, at_least

ADAPTIVE = ("aps", "raps")


@dataclass(frozen=True)
class FittedRule:
    """Thresholds that were fitted on a calibration split.

    Attributes:
        method: The method.
        answers: Names of the K labels, in the order of the scores' columns.
        thresholds: K thresholds of the scores, -inf where a label is always kept; of APS and RAPS one, of the adaptive
            score, above which a label is left out.
        note: What the calibration rests on, as a line.
        images: The images of the calibration that were used.
        always_kept: Labels with too few images to calibrate, which are in every set.
        ties: What becomes of scores that equal their threshold.
        kept_share: The share of them that is kept at random.
        tied: Number of scores of the calibration that equal it, where it divides equal ones.
        size_with_ties: Mean size on the calibration if ties are kept whole; NaN where no size was asked for.
        penalty: Of RAPS.
        free: Of RAPS.
        seed: Of the draws.

    Example:
        >>> rule = FittedRule("lac", ("no", "yes"), (0.4, 0.4))
        >>> rule.labels([[0.7, 0.3], [0.55, 0.45], [float("nan"), 0.5]])
        [['no'], ['no', 'yes'], None]
        >>> FittedRule.from_json(rule.to_json()) == rule
        True
    """

    method: str
    answers: tuple[str, ...]
    thresholds: tuple[float, ...]
    note: str = ""
    images: int = 0
    always_kept: tuple[str, ...] = ()
    ties: Ties = "whole"
    kept_share: float = 1.0
    tied: int = 0
    size_with_ties: float | None = None
    penalty: float = 0.0
    free: int = 0
    seed: int = 0

    @classmethod
    def of_size(cls, fitted: AverageK, method: str, ties: Ties, seed: int) -> FittedRule:
        """Make the rule of an average-K threshold."""
        return cls(
            method,
            fitted.names,
            (fitted.threshold,) * fitted.outputs,
            f"fitted to {fitted.asked:g} labels per image on {fitted.images:,} images, without their labels"
            + (f"; {fitted.undefined:,} with a score that is not finite left out" if fitted.undefined else ""),
            fitted.images,
            ties=ties,
            kept_share=fitted.kept_share,
            tied=fitted.ties,
            size_with_ties=fitted.size_with_ties,
            seed=seed,
        )

    @classmethod
    def of_coverage(cls, fitted: ConformalThresholds, method: str) -> FittedRule:
        """Make the rule of conformal thresholds."""
        thresholds = tuple(float(value) for value in fitted.thresholds)
        split: CalibrationSplit = fitted.calibration
        return cls(method, fitted.names, thresholds, split.note, split.images, fitted.always_kept)

    @classmethod
    def adaptive(cls, fitted: AdaptiveThreshold, method: str, seed: int) -> FittedRule:
        """Make the rule of APS or RAPS."""
        split = fitted.calibration
        return cls(method, fitted.names, (fitted.threshold,), split.note, split.images, penalty=fitted.penalty,
                   free=fitted.free, seed=seed)  # fmt: skip

    def sets(self, scores: ArrayLike) -> LabelSets:
        """Return the sets of images with these scores ``(N, K)``."""
        if self.method in ADAPTIVE:
            split = CalibrationSplit(np.zeros(0, np.int64), 0, 0, None)
            rule = AdaptiveThreshold(0.5, self.thresholds[0], self.penalty, self.free, len(self.answers), split)
            return rule.sets(scores, seed=self.seed)
        return at_least(scores, self.thresholds, ties=self.ties, kept_share=self.kept_share, seed=self.seed)

    def labels(self, scores: ArrayLike) -> list[list[str] | None]:
        """Name the labels in each image's set; None where a score is not finite."""
        found = self.sets(scores)
        named = ([self.answers[k] for k in np.flatnonzero(row)] for row in found.members)
        return [own if defined else None for own, defined in zip(named, found.defined, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON has it; None for a threshold that keeps a label always."""
        equal = len(set(self.thresholds)) == 1
        stored = [None if math.isinf(value) else value for value in self.thresholds[: 1 if equal else None]]
        return {
            "method": self.method,
            "answers": list(self.answers),
            "thresholds": stored,
            "note": self.note,
            "images": self.images,
            "always_kept": list(self.always_kept),
            "ties": self.ties,
            "kept_share": self.kept_share,
            "tied": self.tied,
            "size_with_ties": self.size_with_ties,
            "raps": [self.penalty, self.free],
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> FittedRule:
        """Read a rule as ``to_json`` writes it.

        Raises:
            InputError: It is none.
        """
        try:
            answers = tuple(str(name) for name in entry["answers"])
            stored: Sequence[float | None] = entry["thresholds"]
            values = tuple(-math.inf if value is None else float(value) for value in stored)
            wide = len(values) == 1 and entry["method"] not in ADAPTIVE
            return cls(
                entry["method"],
                answers,
                values * len(answers) if wide else values,
                entry["note"],
                entry["images"],
                tuple(entry["always_kept"]),
                entry["ties"],
                entry["kept_share"],
                entry["tied"],
                entry["size_with_ties"],
                float(entry["raps"][0]),
                int(entry["raps"][1]),
                entry["seed"],
            )
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"a stored rule of sets is damaged ({error!r}); make the study again") from None
