"""What a study of sets is asked for: sizes, coverage, methods, and the images to calibrate on."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.postprocessing.calibration_split import check_alpha
from bincam.postprocessing.label_sets import OF_ANSWERS, OF_ATTRIBUTES, Ties

NOT_OF_HEADS = ("aps", "raps")
"""Those of sets of outputs alone: with two answers they have nothing to order."""

METHODS = (*OF_ANSWERS, *OF_ATTRIBUTES)


@dataclass(frozen=True)
class SetsSettings:
    """Settings of a study of sets.

    Attributes:
        sizes: Mean numbers of labels that average-K is fitted to.
        alpha: α: the true label may be missed in this share of images.
        methods: Of ``METHODS``; the first that is of answers is the primary one.
        share: Share of the audit's people to calibrate on; None for another audit.
        ties: What becomes of scores that equal an average-K threshold.
        penalty: Of RAPS, per label beyond ``free``.
        free: Number of labels without a penalty.
        seed: Of the division of people, the choice of an image of each, and the draws of APS, RAPS and ties.

    Example:
        >>> SetsSettings(sizes=(1, 1.5)).primary, SetsSettings(methods=("average_k", "lac")).primary
        ('lac', 'average_k=1')
        >>> SetsSettings(sizes=(0.5,)).check()
        Traceback (most recent call last):
        bincam.errors.InputError: a mean size of 0.5; expected at least 1 label per image, such as 1 or 1.5
    """

    sizes: tuple[float, ...] = (1.0, 1.2, 1.5, 2.0)
    alpha: float = 0.1
    methods: tuple[str, ...] = METHODS
    share: float | None = 0.5
    ties: Ties = "whole"
    penalty: float = 0.01
    free: int = 5
    seed: int = 0

    @property
    def primary(self) -> str | None:
        """The rule that gates, ``explain`` and the report use where none is named; None without one of answers."""
        method = next((name for name in self.methods if name in OF_ANSWERS), None)
        return average_k_rule(self.sizes[0]) if method == "average_k" else method

    def check(self) -> SetsSettings:
        """Return the settings themselves.

        Raises:
            InputError: A value is out of range, or given twice.
        """
        check_alpha(self.alpha)
        for size in self.sizes:
            if not 1 <= size <= sys.float_info.max:
                raise InputError(f"a mean size of {size:g}; expected at least 1 label per image, such as 1 or 1.5")
        _refuse_repeats([f"size {size:g}" for size in self.sizes], "sizes")
        for method in self.methods:
            if method not in METHODS:
                raise InputError(f"unknown method {method!r}{nearest(method, METHODS)}")
        _refuse_repeats(self.methods, "methods")
        if not self.sizes or not self.methods:
            raise InputError("no size or no method of sets is asked for; give one at least")
        if self.share is not None and not 0 < self.share < 1:
            raise InputError(
                f"a share of {self.share:g} of the people to calibrate on; expected above 0 and below 1, such as 0.5"
            )
        if not (0 <= self.penalty < math.inf and self.free >= 0):
            raise InputError(
                f"a RAPS penalty of {self.penalty:g} and {counted(self.free, 'free label')}; expected neither to be "
                "negative"
            )
        if self.seed < 0:
            raise InputError(f"a seed of {self.seed}; expected a whole number that is not negative")
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        return {
            "sizes": [float(size) for size in self.sizes],
            "alpha": self.alpha,
            "methods": list(self.methods),
            "share": self.share,
            "ties": self.ties,
            "raps": [self.penalty, self.free],
            "seed": self.seed,
        }


def average_k_rule(size: float, method: str = "average_k") -> str:
    """Name the rule of a mean size.

    >>> average_k_rule(1.5), average_k_rule(2.0, "global")
    ('average_k=1.5', 'global=2')
    """
    return f"{method}={size:g}"


def _refuse_repeats(names: Sequence[str], what: str) -> None:
    for name in names:
        if list(names).count(name) > 1:
            raise InputError(f"{name} is given twice; state different {what}")
