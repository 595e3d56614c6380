"""The figures of one simulated audit, each with its truth: the estimates whose coverage is measured.

A family draws one audit of a design and returns ``{figure: (truth, estimate, evidence)}``. The evidence is the number
of people that the figure rests on: people with an error for rates, those of the smaller class for scores, else all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bincam.stats.calibration import calibrate, probability
from bincam.stats.clustered.attribute_average import AttributeAverage
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate, estimate
from bincam.stats.intervals import gap, mean_of_two, ratio
from bincam.stats.proportions import shares
from bincam.stats.roc import ranking
from experiments.statistics import population
from experiments.statistics.population import Design

Figures = dict[str, tuple[float, Estimate, int]]

RATES = (0.02, 0.05, 0.2, 0.5)
AUROCS = (0.6, 0.8, 0.95, 0.99)
OVERALL = {
    "rare": (0.002, 0.005, 0.01, 0.01, 0.02, 0.02, 0.03, 0.05),
    "one rare": (0.02,),
    "mixed": (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
}
TWO = {"0.2 and 0.1": (0.2, 0.1), "0.05 and 0.02": (0.05, 0.02)}


def _people(person: NDArray[np.int64], inside: NDArray[np.bool_]) -> int:
    return len(np.unique(person[inside]))


def rates(design: Design, rng: np.random.Generator) -> Figures:
    """The error of several attributes, and their error within the positive class."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    positive = population.draw_labels(design, person, rng) > 0
    wrong = population.draw_errors(design, person, RATES, rng)
    member = np.stack([np.ones_like(positive), positive], 1)[:, None, :].repeat(len(RATES), 1)
    share = shares(np.broadcast_to(wrong[..., None], member.shape), member, clusters)
    result: Figures = {}
    for a, rate in enumerate(RATES):
        for g, name in enumerate(("error", "fnr")):
            result[f"{name} {rate:g}"] = (
                rate,
                _of(share, (a, g)),
                _people(person, member[:, a, g] & (wrong[:, a] > 0)),
            )
    return result


def _of(share: object, at: tuple[int, ...]) -> Estimate:
    value, low, high, images, people = (getattr(share, n)[at] for n in ("value", "low", "high", "images", "identities"))
    return estimate(value, low, high, int(images), int(people), "")


def scores(design: Design, rng: np.random.Generator) -> Figures:
    """AUROC, average precision, Brier score and calibration error of calibrated classifiers."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    label = population.draw_labels(design, person, rng)
    fewer = min(_people(person, label > 0), _people(person, label == 0))
    result: Figures = {}
    for auroc in AUROCS:
        z = population.draw_scores(design, person, label, auroc, rng)
        area, precision = ranking(z, label, clusters)
        reliability = calibrate(probability(z, "logits"), label, clusters)
        result[f"AUROC {auroc:g}"] = (auroc, area, fewer)
        result[f"AP {auroc:g}"] = (truth_of("average_precision", auroc, design.prevalence), precision, fewer)
        result[f"Brier {auroc:g}"] = (truth_of("brier", auroc, design.prevalence), reliability.brier, fewer)
        result[f"ECE {auroc:g}"] = (0.0, reliability.ece, fewer)
    return result


@cache
def truth_of(name: str, *arguments: float | str) -> float:
    """Integrate a truth of ``population`` once."""
    return float(getattr(population, name)(*arguments))


def means(design: Design, rng: np.random.Generator) -> Figures:
    """Means of measures over all images and over those of the positive class."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    positive = population.draw_labels(design, person, rng) > 0
    shapes: tuple[population.Shape, ...] = ("normal", "skewed", "share")
    values = np.stack([population.draw_measure(design, person, shape, rng) for shape in shapes], -1)
    bounds = np.array([-np.inf, -np.inf, 0]), np.array([np.inf, np.inf, 1])
    found = group_means(values, positive.astype(int), np.array([[1, 1], [0, 1]]), clusters, bounds)
    result: Figures = {}
    for g, group in enumerate(("", " of a class")):
        for c, shape in enumerate(shapes):
            mean = found.estimate(g, c)
            result[f"mean of a {shape} measure{group}"] = (truth_of("mean_of", shape), mean, int(found.clusters[g, c]))
    return result


def overall(design: Design, rng: np.random.Generator) -> Figures:
    """Mean error over attributes that share people and images."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    one = np.zeros(len(person), int), np.ones((1, 1))
    result: Figures = {}
    for name, of_attribute in OVERALL.items():
        wrong = population.draw_errors(design, person, of_attribute, rng)
        share = shares(wrong, np.ones(wrong.shape, bool), clusters)
        unit = np.zeros(1), np.ones(1)
        average = AttributeAverage(1, 1, clusters.count, np.array([True]), unit, known=True)
        for a in range(len(of_attribute)):
            average.add(group_means(wrong[:, a : a + 1], *one, clusters, unit), [[_of(share, (a,))]])
        truth = float(np.mean(of_attribute))
        result[f"overall error, {name}"] = (truth, average.estimate(0, 0), _people(person, (wrong > 0).any(1)))
    return result


def two(design: Design, rng: np.random.Generator) -> Figures:
    """Half sums, gaps and ratios of the error in two groups of images."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    second = population.draw_labels(design, person, rng).astype(int)
    result: Figures = {}
    for name, (higher, lower) in TWO.items():
        drawn = population.draw_errors(design, person, (higher, lower), rng)
        wrong = np.where(second == 0, drawn[:, 0], drawn[:, 1])
        member = second[:, None] == np.arange(2)
        share = shares(np.stack([wrong, wrong], 1), member, clusters)
        parts = [_of(share, (g,)) for g in range(2)]
        found = group_means(wrong[:, None], second, np.eye(2), clusters)
        joint = correlation(*found.contributions[..., 0])
        evidence = min(_people(person, (second == g) & (wrong > 0)) for g in range(2))
        for kind, truth, make in (
            ("balanced error", (higher + lower) / 2, mean_of_two),
            ("gap", higher - lower, gap),
            ("ratio", higher / lower, ratio),
        ):
            estimated = make(*parts, correlation=joint, identities=clusters.count)
            result[f"{kind} of {name}"] = (truth, estimated, evidence)
    return result


def paired(design: Design, rng: np.random.Generator) -> Figures:
    """Differences between two models' errors on the same images."""
    person = population.draw_people(design, rng)
    clusters = Clusters(person, known=True)
    result: Figures = {}
    for name, (first, second) in {"0.2 and 0.15": (0.2, 0.15), "0.05 and 0.03": (0.05, 0.03)}.items():
        wrong = population.draw_errors(design, person, (first, second), rng)
        mean = paired_shares(wrong[:, 0], wrong[:, 1], clusters)
        result[f"paired difference of {name}"] = (first - second, mean, _people(person, wrong[:, 0] != wrong[:, 1]))
    return result


FAMILIES: Mapping[str, Callable[[Design, np.random.Generator], Figures]] = {
    "rates": rates,
    "scores": scores,
    "means": means,
    "overall": overall,
    "two": two,
    "paired": paired,
}
