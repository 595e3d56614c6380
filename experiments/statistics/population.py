"""Simulated audits with known truth: people with several images each, who resemble themselves.

A ``Design`` states how many people there are, how many images each has, where labels come from, and how strongly the
images of a person resemble one another. The functions draw errors, scores and measures of one simulated audit. Every
truth is known in closed form or integrated numerically; none is taken from a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

Floats = NDArray[np.float64]
Shape = Literal["normal", "skewed", "share"]

SPREAD = 0.8
"""Standard deviation of the logarithm of the number of images of a person, where it varies."""

BETWEEN = 0.5
"""Correlation, between attributes, of a person's tendency to be misclassified, and of an image's."""

SKEW = 1.0
"""Standard deviation of the logarithm of a skewed measure; its skewness is 6.2."""


@dataclass(frozen=True)
class Design:
    """The design of a simulated audit.

    Attributes:
        people: K, the number of people.
        images: Mean number of images of a person.
        varying: True if that number varies (1 to about 60 for a mean of 10), False if all people have the same.
        labels: ``image`` if every image's label is drawn on its own, ``person`` if all images of a person share it.
        prevalence: Share of positives.
        icc: Correlation within a person of errors, of scores within a class, and of measures.
    """

    people: int
    images: int = 10
    varying: bool = True
    labels: Literal["image", "person"] = "image"
    prevalence: float = 0.5
    icc: float = 0.5

    @property
    def name(self) -> str:
        """A name for tables and files."""
        sizes = "varying" if self.varying else "constant"
        rare = "" if self.prevalence == 0.5 else f", {self.prevalence:g} positive"
        return f"{self.people} people, {self.images} images ({sizes}), labels by {self.labels}, ICC {self.icc:g}{rare}"


def draw_people(design: Design, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the number of images of every person, and return the person of each image, ``(N,)``."""
    if not design.varying:
        return np.repeat(np.arange(design.people), design.images)
    # A lognormal number with the requested mean, at least 1.
    size = np.exp(rng.normal(np.log(design.images) - SPREAD**2 / 2, SPREAD, design.people))
    return np.repeat(np.arange(design.people), np.maximum(1, np.rint(size)).astype(int))


def draw_labels(design: Design, person: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Draw labels ``(N,)``: 1 or 0. They also serve as slices."""
    of_person = rng.random(design.people) < design.prevalence
    of_image = rng.random(len(person)) < design.prevalence
    return (of_person[person] if design.labels == "person" else of_image).astype(float)


def draw_errors(
    design: Design, person: NDArray[np.int64], rates: Sequence[float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw errors of several attributes that share people and images, ``(N, A)``; the truths are ``rates``.

    A person's tendency to be misclassified has a beta distribution whose mean is the rate and whose variance is
    ICC·rate·(1 - rate), so two images of a person have exactly this correlation. Tendencies, and errors given them,
    correlate between attributes (Gaussian copulas with correlation ``BETWEEN``).
    """
    K, N, A = design.people, len(person), len(rates)
    p = np.asarray(rates, float)
    tendency = np.broadcast_to(p, (K, A))
    if design.icc:
        scale = 1 / design.icc - 1
        tendency = stats.beta.ppf(stats.norm.cdf(_correlated(K, A, rng)), p * scale, (1 - p) * scale)
    return (stats.norm.cdf(_correlated(N, A, rng)) < tendency[person]).astype(np.float32)


def draw_scores(
    design: Design, person: NDArray[np.int64], label: NDArray[np.floating], auroc: float, rng: np.random.Generator
) -> Floats:
    """Draw calibrated logits ``(N,)`` of a classifier with this AUROC.

    Scores are normal with variance 1 and means 0 and d = √2 Φ⁻¹(AUROC) in the two classes, and correlate by ICC within
    a person. The logit is the true log-odds given the score, d·(score - d/2) + log-odds of the prevalence.
    """
    d = separation(auroc)
    own, noise = rng.normal(size=design.people), rng.normal(size=len(person))
    score = d * label + np.sqrt(design.icc) * own[person] + np.sqrt(1 - design.icc) * noise
    return d * (score - d / 2) + np.log(design.prevalence / (1 - design.prevalence))


def draw_measure(design: Design, person: NDArray[np.int64], shape: Shape, rng: np.random.Generator) -> Floats:
    """Draw a measure of every image, ``(N,)``: normal, skewed (lognormal), or a share between 0 and 1 that is often 0.

    Its mean is ``mean_of(shape)``; the ICC is that of the normal variable which it is a function of.
    """
    own, noise = rng.normal(size=design.people), rng.normal(size=len(person))
    z = np.sqrt(design.icc) * own[person] + np.sqrt(1 - design.icc) * noise
    if shape == "normal":
        return z
    return np.exp(SKEW * z) if shape == "skewed" else np.clip(z - 1, 0, 1)


def mean_of(shape: Shape) -> float:
    """Compute the true mean of a measure."""
    if shape == "skewed":
        return float(np.exp(SKEW**2 / 2))
    if shape == "normal":
        return 0.0
    z, weight = _normal_grid()
    return float(np.sum(np.clip(z - 1, 0, 1) * weight))


def separation(auroc: float) -> float:
    """Compute the distance d of the classes' means from the AUROC."""
    return float(np.sqrt(2) * stats.norm.ppf(auroc))


def average_precision(auroc: float, prevalence: float) -> float:
    """Integrate the true average precision: the precision at the score of a positive, averaged over positives."""
    d = separation(auroc)
    z, weight = _normal_grid()
    hits, alarms = prevalence * stats.norm.sf(z), (1 - prevalence) * stats.norm.sf(z + d)
    return float(np.sum(weight * hits / (hits + alarms)))


def brier(auroc: float, prevalence: float, slope: float = 1.0, intercept: float = 0.0) -> float:
    """Integrate the true Brier score of σ(slope·z + intercept), where z is the calibrated logit."""
    total = 0.0
    for label, share in ((1, prevalence), (0, 1 - prevalence)):
        z, weight = _logit_grid(auroc, prevalence, label)
        total += share * float(np.sum(weight * (expit(slope * z + intercept) - label) ** 2))
    return total


def signed_calibration_error(auroc: float, prevalence: float, slope: float = 1.0, intercept: float = 0.0) -> float:
    """Integrate the true mean probability less the prevalence of σ(slope·z + intercept)."""
    mean = 0.0
    for label, share in ((1, prevalence), (0, 1 - prevalence)):
        z, weight = _logit_grid(auroc, prevalence, label)
        mean += share * float(np.sum(weight * expit(slope * z + intercept)))
    return mean - prevalence


def calibration_error(
    auroc: float, prevalence: float, slope: float = 1.0, intercept: float = 0.0, bins: int = 15
) -> float:
    """Integrate the true expected calibration error of σ(slope·z + intercept), over bins of equal width."""
    of_bin = np.zeros(bins)
    for label, share in ((1, prevalence), (0, 1 - prevalence)):
        z, weight = _logit_grid(auroc, prevalence, label)
        p = expit(slope * z + intercept)
        place = np.minimum((p * bins).astype(int), bins - 1)
        of_bin += share * np.bincount(place, weight * (p - label), bins)
    return float(np.abs(of_bin).sum())


def _logit_grid(auroc: float, prevalence: float, label: int) -> tuple[Floats, Floats]:
    d = separation(auroc)
    score, weight = _normal_grid()
    return d * (score + d * label - d / 2) + np.log(prevalence / (1 - prevalence)), weight


def _normal_grid(points: int = 200_001) -> tuple[Floats, Floats]:
    """Return points of equal distance over ±10 standard deviations and their normal weights, which sum to 1."""
    z = np.linspace(-10, 10, points)
    weight = stats.norm.pdf(z)
    return z, weight / weight.sum()


def _correlated(rows: int, columns: int, rng: np.random.Generator) -> Floats:
    """Draw standard normal variables whose columns have the correlation ``BETWEEN``."""
    common = rng.normal(size=(rows, 1))
    return np.sqrt(BETWEEN) * common + np.sqrt(1 - BETWEEN) * rng.normal(size=(rows, columns))
