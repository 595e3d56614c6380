"""The verdict on a grid: whether boxes on it can say anything about a model."""

from __future__ import annotations

from bincam.stats.estimate import Estimate

ENOUGH = 0.5
CANNOT = "cannot be judged on this grid"
UNDEFINED = "undefined"
JUDGED = "judged"


def judgement(reach_accuracy: Estimate) -> str:
    """Say whether boxes can be judged on a grid: not where its own reach hits fewer than half of the images.

    Args:
        reach_accuracy: Share of images whose reach has IoU ≥ δ.

    Returns:
        ``"judged"``, ``"cannot be judged on this grid"``, or ``"undefined"`` without an image.

    Example:
        >>> from bincam.metrics import judgement
        >>> from bincam.stats import Estimate
        >>> judgement(Estimate.of_value(0.3)), judgement(Estimate.of_value(0.97))
        ('cannot be judged on this grid', 'judged')
    """
    if not reach_accuracy.defined:
        return UNDEFINED
    return JUDGED if reach_accuracy.value >= ENOUGH else CANNOT
