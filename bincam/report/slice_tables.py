"""Results by group as small tables."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.report.arms import Arm
from bincam.report.sections import Slices


def slice_tables(attribute: str, arms: Sequence[Arm]) -> list[Slices]:
    """Tables of the summary's slices of one attribute."""
    del attribute, arms
    return []
