"""A Gaussian copula that samples 40 labels with given prevalences and correlations.

Label j is true where latent normal j exceeds threshold j. Thresholds and latent correlations are calibrated iteratively
such that prevalence and φ are right *after* contradictory labels have been resolved and labels that cannot be seen have
been dropped. The tetrachoric correlations of the table would be right only before that, and are not positive definite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces.labels import constraints
from bincam.faces.labels.prevalence import Target
from bincam.faces.labels.spec import ATTRIBUTES

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

_ROWS = 30_000  # φ of this many rows has a standard error of .006
_ALWAYS = 50.0  # beyond any draw
_LEAST = 2e-3  # smallest eigenvalue of a latent correlation: Cholesky needs one, and a smaller one does not improve φ
_TOLERANCE = 0.03  # largest accepted error of a requested φ


@dataclass(frozen=True)
class RarePairs:
    """Combinations that are possible but rare: in CelebA, a woman with a goatee, or heavy make-up on a man.

    A plain copula samples them too often: a joint frequency of zero would need a latent correlation of ±1.

    Attributes:
        apart: (40, 40), symmetric: the two are rarely true together.
        needs: (40, 40): the first is rarely true without the second.
    """

    apart: Labels
    needs: Labels

    def offset(self, labels: Labels, column: int, done: Sequence[int]) -> Floats:
        """Return (N,), the offset of each face's latent value for ``column``, given the labels in columns ``done``.

        It is strongly negative where the label would make a rare combination, strongly positive where its absence
        would, and 0 elsewhere.
        """
        discouraged = np.zeros(len(labels), dtype=bool)
        encouraged = np.zeros(len(labels), dtype=bool)
        for other in done:
            if self.apart[other, column]:
                discouraged |= labels[:, other]
            if self.needs[column, other]:
                discouraged |= ~labels[:, other]
            if self.needs[other, column]:
                encouraged |= labels[:, other]
        return np.where(discouraged, -_ALWAYS, np.where(encouraged, _ALWAYS, 0.0))


def rare_pairs(target: Target) -> RarePairs:
    """Find the combinations that a target's φ make less than a twentieth as frequent as independence would."""
    p = target.prevalence
    scale = np.sqrt(p * (1 - p))
    both = np.outer(p, p) + target.phi * np.outer(scale, scale)
    varied = (p > 0) & (p < 1)
    possible = varied[:, None] & varied & ~np.eye(len(p), dtype=bool) & ~constraints.exclusive()
    apart = possible & (both < np.outer(p, p) / 20)
    needs = possible & (p[:, None] - both < np.outer(p, 1 - p) / 20)
    return RarePairs(apart, needs)


@dataclass(frozen=True)
class Copula:
    """A calibrated distribution of labels.

    Attributes:
        prevalence: (40,), of the labels as sampled, slightly above those of the labels that can be seen.
        correlation: (40, 40), of the latent normals, positive definite.
        rare: Combinations to avoid where the prevalences allow it.
    """

    prevalence: Floats
    correlation: Floats
    rare: RarePairs

    def labels(self, latent: Floats, shift: Floats | None = None) -> Labels:
        """Sample labels without contradictions, stratified so that N faces meet the prevalences, not only on average.

        Attribute by attribute, of the faces that no earlier label excludes, those with the highest latent values get
        the label, as many as the prevalence requires. Faces on which it would make a rare combination come last.

        Args:
            latent: (N, 40), of which only the order within each column matters. Equal values get equal labels.
            shift: (40,) in [0, 1), the rounding of the counts. Uniform draws favour no attribute. Default: 0.5.

        Returns:
            (N, 40).
        """
        rounding = np.full(len(self.prevalence), 0.5) if shift is None else shift
        labels = np.zeros(latent.shape, dtype=bool)
        for at, column in enumerate(constraints.ORDER):
            free = np.flatnonzero(~labels[:, constraints.winners(column)].any(axis=1))
            score = latent[free, column] + self.rare.offset(labels[free], column, constraints.ORDER[:at])
            _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
            above = len(free) - np.cumsum(counts) + rounding[column] * counts  # faces ranked before each value
            labels[free, column] = (above < self.prevalence[column] * len(latent))[inverse]
        return labels


def calibrate(target: Target, seen: Floats | None = None, *, rounds: int | None = None) -> Copula:
    """Find the copula whose labels have the target's prevalences and correlations.

    Args:
        target: The prevalences and φ to meet.
        seen: (40,), of the faces labelled with an attribute, the fraction in which it can be seen. Default: 1. The
            other faces lose the label, so correspondingly more are labelled at first.
        rounds: Newton steps on the latent correlations. Default: 6, or 20 if correlations were requested.

    Returns:
        The copula, identical on every call.

    Raises:
        InputError: The requested correlations are not feasible together. The message names them and the nearest ones.

    >>> from bincam.faces.labels.prevalence import target
    >>> copula = calibrate(target("balanced"), rounds=1)
    >>> float(copula.prevalence[ATTRIBUTES.index("Smiling")]), copula.correlation.shape
    (0.5, (40, 40))
    """
    share = np.ones(len(ATTRIBUTES)) if seen is None else seen
    noise, uniform = _sample()
    kept = uniform < share
    drawn = np.minimum(target.prevalence / share, 1.0)
    adjustable = ~constraints.exclusive() & (target.prevalence > 0)[:, None] & (target.prevalence < 1)[:, None]
    adjustable &= adjustable.T
    np.fill_diagonal(adjustable, False)
    wished = np.sin(np.pi / 2 * np.where(adjustable, target.phi, 0.0))
    np.fill_diagonal(wished, 1.0)
    spread = np.sqrt(np.outer(target.prevalence * (1 - target.prevalence), target.prevalence * (1 - target.prevalence)))
    threshold = np.array([NormalDist().inv_cdf(1 - min(max(p, 1e-6), 1 - 1e-6)) for p in drawn])
    rare = rare_pairs(target)
    for _ in range(rounds or (20 if target.demanded.any() else 6)):
        latent_correlation = nearest_correlation(wished, target.demanded)
        latent = noise @ np.linalg.cholesky(latent_correlation).T
        labels = _labels(latent, drawn, rare)
        measured = phi(labels & kept)
        slope = _density(threshold, latent_correlation) * np.outer(share, share) / np.maximum(spread, 1e-9)
        step = np.where(adjustable, (target.phi - measured) / np.maximum(slope, 0.05), 0.0)
        wished = np.clip(latent_correlation + np.clip(step, -0.25, 0.25), -0.995, 0.995)
        np.fill_diagonal(wished, 1.0)
    _check(target, measured)
    return Copula(drawn, latent_correlation, rare)


def phi(labels: Labels) -> Floats:
    """Compute φ, the Pearson correlation, of every pair of columns.

    Args:
        labels: (N, A).

    Returns:
        (A, A), 1 on the diagonal, 0 where a column is constant.

    >>> phi(np.array([[0, 0], [0, 1], [1, 1], [1, 1]], dtype=bool)).round(3).tolist()
    [[1.0, 0.577], [0.577, 1.0]]
    """
    n = len(labels)
    both = (labels.T.astype(np.float32) @ labels.astype(np.float32)).astype(np.float64) / n  # counts are exact to 2^24
    share = np.diag(both)
    scale = np.sqrt(share * (1 - share))
    outer = np.outer(scale, scale)
    result: Floats = np.where(outer > 0, (both - np.outer(share, share)) / np.where(outer > 0, outer, 1.0), 0.0)
    np.fill_diagonal(result, 1.0)
    return result


def nearest_correlation(wished: Floats, firm: Labels) -> Floats:
    """Project a symmetric matrix to a nearby positive definite correlation matrix.

    Alternating projections as in Higham, *Computing the nearest correlation matrix* (2002), without Dykstra's
    correction, so the result is near and not exactly nearest.

    Args:
        wished: (n, n), symmetric, ones on the diagonal.
        firm: (n, n), True for entries to keep while the others change.

    Returns:
        (n, n). Firm entries are kept if they can be completed to a positive definite matrix.
    """
    result = wished.copy()
    for _ in range(200 if firm.any() else 0):
        values, vectors = np.linalg.eigh(result)
        if values[0] >= _LEAST:
            return result
        result = (vectors * np.maximum(values, 2 * _LEAST)) @ vectors.T  # further in than needed, to stop sooner
        result[firm] = wished[firm]
        np.fill_diagonal(result, 1.0)
    core = np.where(firm, wished, np.eye(len(wished)))
    if firm.any() and np.linalg.eigvalsh(core)[0] > _LEAST:  # the others fit, all scaled by one factor
        low, high = 0.0, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            fits = np.linalg.eigvalsh(core + middle * (result - core))[0] >= _LEAST
            low, high = (middle, high) if fits else (low, middle)
        blended: Floats = core + low * (result - core)
        return blended
    values, vectors = np.linalg.eigh(result)
    result = (vectors * np.maximum(values, _LEAST)) @ vectors.T
    deviation = np.sqrt(np.diag(result))
    scaled: Floats = result / np.outer(deviation, deviation)
    return scaled


@lru_cache(maxsize=1)
def _sample() -> tuple[Floats, Floats]:
    """Normals (N, 40) of exactly zero mean and identity covariance, and uniforms (N, 40), identical on every call."""
    rng = np.random.default_rng(20240314)
    half = rng.standard_normal((_ROWS // 2, len(ATTRIBUTES)))
    noise = np.concatenate([half, -half])
    noise = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T, bias=True))).T
    return noise, rng.random(noise.shape)


def _labels(latent: Floats, prevalence: Floats, rare: RarePairs) -> Labels:
    """Sample as :meth:`Copula.labels` does, but faster and for continuous latents only."""
    rows = len(latent)
    labels = np.zeros(latent.shape, dtype=bool)
    for at, column in enumerate(constraints.ORDER):
        free = np.flatnonzero(~labels[:, constraints.winners(column)].any(axis=1))
        positives = min(round(prevalence[column] * rows), len(free))
        if positives:
            score = latent[free, column] + rare.offset(labels[free], column, constraints.ORDER[:at])
            labels[free[np.argpartition(-score, positives - 1)[:positives]], column] = True
    return labels


def _density(threshold: Floats, correlation: Floats) -> Floats:
    """Bivariate normal density (40, 40) at each pair of thresholds, which equals d P(both) / d correlation."""
    x, y = threshold[:, None], threshold[None, :]
    rest = np.maximum(1 - correlation**2, 1e-3)
    exponent = (x**2 - 2 * correlation * x * y + y**2) / (2 * rest)
    result: Floats = np.exp(-exponent) / (2 * np.pi * np.sqrt(rest))
    return result


def _check(target: Target, measured: Floats) -> None:
    missed = np.argwhere(np.triu(target.demanded & (np.abs(target.phi - measured) > _TOLERANCE)))
    if not len(missed):
        return
    pairs = [(int(a), int(b)) for a, b in np.argwhere(np.triu(target.demanded))]
    requested = ", ".join(f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}={target.phi[a, b]:g}" for a, b in pairs)
    nearest = ", ".join(f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}={measured[a, b]:.2f}" for a, b in pairs)
    raise InputError(
        f"the correlations {requested} are not possible together at these prevalences. The nearest found: {nearest}"
    )
