"""Platt calibration, fitted on validation: for losses whose optimal logits are not shifted log-odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_scores, is_finite


def platt(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Fit slope a and intercept b of each attribute by maximum likelihood of σ(a z + b).

    Platt 1999, Probabilistic outputs for support vector machines: targets are (N+ + 1) / (N+ + 2) and 1 / (N- + 2)
    instead of 1 and 0, so the slope is finite for separable data. There is no penalty.

    Args:
        logits: ``(N, A)``; values that are not finite are left out.
        labels: ``(N, A)``: 1, 0 or NaN.

    Returns:
        ``(A, 2)``; NaN where a class has no labelled image, or all logits are equal.

    Raises:
        InputError: The shapes differ, or a label is not 0, 1 or NaN.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> log_odds = rng.normal(size=(20_000, 1))
        >>> labels = rng.random((20_000, 1)) < 1 / (1 + np.exp(-log_odds))
        >>> platt(2 * log_odds + 1, labels).round(1)  # the inverse: 0.5 z - 0.5
        array([[ 0.5, -0.5]])
    """
    z, y = check_scores(logits, labels)
    return np.array([_fit(z[:, a], y[:, a]) for a in range(z.shape[1])]).reshape(-1, 2)


def _fit(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    usable = is_finite(logits) & ~np.isnan(labels)
    z, y = logits[usable], labels[usable]
    positives, negatives = int((y == 1).sum()), int((y == 0).sum())
    if not positives or not negatives or z.min() == z.max():
        return float("nan"), float("nan")
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # scikit-learn expects classes: an image with target t is a positive of weight t and a negative of weight 1 - t.
    middle, spread = z.mean(), z.std()
    column = np.tile((z - middle) / spread, 2)[:, None]
    classes = np.repeat([1, 0], len(z))
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        column, classes, np.concatenate([target, 1 - target])
    )
    slope = float(fitted.coef_[0, 0]) / spread
    return slope, float(fitted.intercept_[0]) - slope * middle
