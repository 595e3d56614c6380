"""Draw 40 labels with given prevalences and correlations: a Gaussian copula, calibrated behind the repairs.

Label j is true where latent normal j is above threshold j. Thresholds and latent correlations are found by iteration,
such that prevalence and φ come out right *after* contradictory labels have been repaired and labels that cannot be seen
have been dropped. Tetrachoric correlations of the table would be right before that, and are not positive definite.
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
_LEAST = 2e-3  # the least eigenvalue of a latent correlation: Cholesky needs one, and below it φ gains nothing
_TOLERANCE = 0.03  # by how much a demanded φ may be missed


@dataclass(frozen=True)
class Customs:
    """What is not impossible and yet hardly ever so: in CelebA, a woman with a goatee, or heavy make-up on a man.

    A copula gives such pairs too often: for a share of nought it would need a latent correlation of ±1.

    Attributes:
        apart: (40, 40), symmetric: hardly ever both.
        needs: (40, 40): hardly ever the first without the second.
    """

    apart: Labels
    needs: Labels

    def lean(self, labels: Labels, column: int, done: Sequence[int]) -> Floats:
        """(N,): how strongly each face's other labels, where ``done``, are against (negative) or for one more."""
        against = np.zeros(len(labels), dtype=bool)
        for_ = np.zeros(len(labels), dtype=bool)
        for other in done:
            if self.apart[other, column]:
                against |= labels[:, other]
            if self.needs[column, other]:
                against |= ~labels[:, other]
            if self.needs[other, column]:
                for_ |= labels[:, other]
        return np.where(against, -_ALWAYS, np.where(for_, _ALWAYS, 0.0))


def customs(target: Target) -> Customs:
    """The customs that a target's φ tell: what occurs less than a twentieth as often as it would by chance."""
    p = target.prevalence
    scale = np.sqrt(p * (1 - p))
    both = np.outer(p, p) + target.phi * np.outer(scale, scale)
    varied = (p > 0) & (p < 1)
    possible = varied[:, None] & varied & ~np.eye(len(p), dtype=bool) & ~constraints.exclusive()
    apart = possible & (both < np.outer(p, p) / 20)
    needs = possible & (p[:, None] - both < np.outer(p, 1 - p) / 20)
    return Customs(apart, needs)


@dataclass(frozen=True)
class Copula:
    """A calibrated distribution of labels.

    Attributes:
        prevalence: (40,), of the labels as they are drawn; somewhat more than can be seen.
        correlation: (40, 40), of the latent normals, positive definite.
        customs: What is hardly ever so.
    """

    prevalence: Floats
    correlation: Floats
    customs: Customs

    def labels(self, latent: Floats, shift: Floats | None = None) -> Labels:
        """Labels without contradictions, stratified: what a set of faces has is what was wanted, not only on average.

        Attribute after attribute, of the faces that nothing drawn before excludes, those with the highest latent values
        get the label, as many as the prevalence asks for. Where customs are against it, the others come first.

        Args:
            latent: (N, 40), of which only the order within each column counts. Equal values are labelled alike.
            shift: (40,) in [0, 1): how to round. Uniform draws favour no attribute; halves by default.

        Returns:
            (N, 40).
        """
        round_ = np.full(len(self.prevalence), 0.5) if shift is None else shift
        labels = np.zeros(latent.shape, dtype=bool)
        for at, column in enumerate(constraints.ORDER):
            free = np.flatnonzero(~labels[:, constraints.winners(column)].any(axis=1))
            score = latent[free, column] + self.customs.lean(labels[free], column, constraints.ORDER[:at])
            _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
            above = len(free) - np.cumsum(counts) + round_[column] * counts  # how many come before each value
            labels[free, column] = (above < self.prevalence[column] * len(latent))[inverse]
        return labels


def calibrate(target: Target, seen: Floats | None = None, *, rounds: int | None = None) -> Copula:
    """Find the copula whose labels have the target's prevalences and correlations.

    Args:
        target: What is wanted.
        seen: (40,) the share of faces labelled with an attribute in which it can be seen; all by default. The other
            faces lose the label, so that more are labelled at first.
        rounds: Newton steps on the latent correlations; by default 6, or 20 where correlations are demanded.

    Returns:
        The copula; the same on every call.

    Raises:
        InputError: Correlations that were demanded cannot hold together. It names them, and the nearest.
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
    rare = customs(target)
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
    """(40, 40): φ of every pair of columns; 0 where a column is constant, 1 on the diagonal."""
    n = len(labels)
    both = (labels.T.astype(np.float32) @ labels.astype(np.float32)).astype(np.float64) / n  # counts are exact to 2^24
    share = np.diag(both)
    scale = np.sqrt(share * (1 - share))
    outer = np.outer(scale, scale)
    result: Floats = np.where(outer > 0, (both - np.outer(share, share)) / np.where(outer > 0, outer, 1.0), 0.0)
    np.fill_diagonal(result, 1.0)
    return result


def nearest_correlation(wished: Floats, firm: Labels) -> Floats:
    """A positive definite correlation matrix near a symmetric one, by alternating projections (Higham 2002).

    Args:
        wished: (n, n), symmetric, ones on the diagonal.
        firm: (n, n), True where the entry should be kept and the others give way.

    Returns:
        (n, n). Firm entries are kept where any matrix keeps them.
    """
    result = wished.copy()
    for _ in range(200 if firm.any() else 0):
        values, vectors = np.linalg.eigh(result)
        if values[0] >= _LEAST:
            return result
        result = (vectors * np.maximum(values, 2 * _LEAST)) @ vectors.T  # further in than needed: it ends sooner
        result[firm] = wished[firm]
        np.fill_diagonal(result, 1.0)
    core = np.where(firm, wished, np.eye(len(wished)))
    if firm.any() and np.linalg.eigvalsh(core)[0] > _LEAST:  # then all others, shrunk alike, fit in at some scale
        low, high = 0.0, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            fits = np.linalg.eigvalsh(core + middle * (result - core))[0] >= _LEAST
            low, high = (middle, high) if fits else (low, middle)
        kept: Floats = core + low * (result - core)
        return kept
    values, vectors = np.linalg.eigh(result)
    result = (vectors * np.maximum(values, _LEAST)) @ vectors.T
    deviation = np.sqrt(np.diag(result))
    scaled: Floats = result / np.outer(deviation, deviation)
    return scaled


@lru_cache(maxsize=1)
def _sample() -> tuple[Floats, Floats]:
    """Normals (N, 40) with exactly zero mean and unit covariance, and uniforms (N, 40); always the same."""
    rng = np.random.default_rng(20240314)
    half = rng.standard_normal((_ROWS // 2, len(ATTRIBUTES)))
    noise = np.concatenate([half, -half])
    noise = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T, bias=True))).T
    return noise, rng.random(noise.shape)


def _labels(latent: Floats, prevalence: Floats, rare: Customs) -> Labels:
    """As :meth:`Copula.labels`, for continuous latents and much faster."""
    rows = len(latent)
    labels = np.zeros(latent.shape, dtype=bool)
    for at, column in enumerate(constraints.ORDER):
        free = np.flatnonzero(~labels[:, constraints.winners(column)].any(axis=1))
        wanted = min(round(prevalence[column] * rows), len(free))
        if wanted:
            score = latent[free, column] + rare.lean(labels[free], column, constraints.ORDER[:at])
            labels[free[np.argpartition(-score, wanted - 1)[:wanted]], column] = True
    return labels


def _density(threshold: Floats, correlation: Floats) -> Floats:
    """(40, 40): the bivariate normal density at each pair of thresholds, which is d P(both) / d correlation."""
    x, y = threshold[:, None], threshold[None, :]
    rest = np.maximum(1 - correlation**2, 1e-3)
    exponent = (x**2 - 2 * correlation * x * y + y**2) / (2 * rest)
    result: Floats = np.exp(-exponent) / (2 * np.pi * np.sqrt(rest))
    return result


def _check(target: Target, measured: Floats) -> None:
    missed = np.argwhere(np.triu(target.demanded & (np.abs(target.phi - measured) > _TOLERANCE)))
    if not len(missed):
        return
    asked = [(int(a), int(b)) for a, b in np.argwhere(np.triu(target.demanded))]
    wanted = ", ".join(f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}={target.phi[a, b]:g}" for a, b in asked)
    nearest = ", ".join(f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}={measured[a, b]:.2f}" for a, b in asked)
    raise InputError(
        f"the correlations {wanted} cannot hold with these prevalences and with each other. "
        f"The nearest that was found: {nearest}"
    )
