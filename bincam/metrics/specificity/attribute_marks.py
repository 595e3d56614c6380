"""Marks of attributes: whose map is the attribute's own, and whose shows the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bincam.display import counted
from bincam.errors import InputError
from bincam.metrics.randomization.dependence import MIN_CELLS
from bincam.metrics.specificity.competitors import (
    FEWEST,
    competing,
    label_correlations,
    region_excess,
    region_overlaps,
    region_shares,
)
from bincam.metrics.specificity.unexplained import OwnShare, own_share
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats
from bincam.stats.formatting import images
from bincam.stats.hypotheses.families import LEVEL as ALPHA
from bincam.stats.hypotheses.families import adjust_by_holm
from bincam.stats.hypotheses.hypothesis_tests import paired_test

MARGIN = 0.05
"""A part fails where its upper bound is below this: at most five points beyond chance."""

DIFFERENCES = "maps counted from the mean of all attributes sum to 0, so the others explain each of them"

Outcome = Literal["pass", "fail", "cannot tell"]
Mark = Literal["its own", "shows the image, not the attribute", "cannot tell"]


@dataclass(frozen=True)
class Part:
    """One of the two questions, of one attribute.

    Attributes:
        verdict: ``pass``: beyond chance, and of own shares beyond ``MARGIN`` more than it, both by the interval and by
            the test, which is corrected by Holm over the attributes; ``fail``: not so, and at most ``MARGIN`` more, by
            the upper end of the interval; else ``cannot tell``.
        excess: What exceeds chance: own share less the null's, or the share in the region less the competitors'.
        p: Adjusted by Holm over the attributes; NaN where undefined.
        reason: Why nothing can be told; else empty.
    """

    verdict: Outcome
    excess: Estimate
    p: float
    reason: str


@dataclass(frozen=True)
class AttributeSpecificity:
    """Whether one attribute's map is its own.

    Attributes:
        mark: ``its own`` if either part passes, ``shows the image, not the attribute`` only if both fail.
        own_share: Share of the map's variance that the other attributes' maps of the same image do not explain.
        null: The same of a row of a head drawn at random.
        share: The part that compares the two.
        own_share_given_labels: Own share of what the labels do not explain of the maps.
        null_given_labels: The same of a head drawn at random.
        region: The part of evidence in the attribute's region.
        competitors: The attributes that compete for it.
    """

    mark: Mark
    own_share: Estimate
    null: float
    share: Part
    own_share_given_labels: Estimate
    null_given_labels: float
    region: Part
    competitors: tuple[str, ...]


@dataclass(frozen=True)
class Specificity:
    """Whether the maps of attributes are their own.

    Attributes:
        attributes: The result by name; empty where there is none.
        reason: Why there is none; else empty.

    Example:
        >>> from bincam.metrics import attribute_specificity
        >>> maps = np.random.default_rng(0).normal(size=(30, 1, 5, 5))
        >>> attribute_specificity(maps, np.ones((30, 1)), ["Bald"])
        Specificity(attributes={}, reason='one attribute: there are no other maps to compare its map with')
    """

    attributes: dict[str, AttributeSpecificity]
    reason: str = ""


def attribute_specificity(
    maps: NDArray[np.floating],
    labels: NDArray[np.floating],
    names: Sequence[str],
    *,
    identities: Sequence[str] | None = None,
    weights: NDArray[np.floating] | None = None,
    total: NDArray[np.floating] | None = None,
    overlaps: Floats | None = None,
    differences: bool = False,
    level: float = LEVEL,
    seed: int = 0,
) -> Specificity:
    """Judge if each attribute's map is its own, by what other maps of the image explain of it and by its region.

    Both parts are ours. (i) ``own_share`` against a head drawn at random with the covariance of the head's rows.
    (ii) ``region_excess``: on images with the attribute, the share of its evidence in its region, less the mean share
    of attributes that have no reason to be there.

    Args:
        maps: ``(N, A, h, w)``, S: evidence for the positive class.
        labels: ``(N, A)``: 1, 0, or NaN for unknown.
        names: The A attributes.
        identities: N names of people, empty for an unknown one; None if each image is of another person.
        weights: ``(A, h, w)``, or ``(N, A, h, w)``: Uᵀ1_M of the regions, NaN without one; None leaves (ii) out.
        total: ``(h, w)``: Uᵀ1; needed with ``weights``.
        overlaps: ``(A, A)`` of the regions; from ``weights`` if there are any and None is given.
        differences: Whether the maps are counted from the mean of all attributes, so that they sum to 0: any of them is
            minus the sum of the others, and no own share is computed.
        level: Confidence level of the intervals.
        seed: Of the halves and of the random heads.

    Returns:
        The result of each attribute.

    Raises:
        InputError: Numbers do not match.

    Example:
        Three attributes that look at different things, and two whose maps are copies:

        >>> random = np.random.default_rng(0)
        >>> maps = random.normal(size=(60, 4, 5, 5))
        >>> labels = random.integers(0, 2, (60, 5)).astype(float)
        >>> names = ["Bald", "Male", "Young", "Goatee", "Mustache"]
        >>> found = attribute_specificity(maps[:, [0, 1, 2, 3, 3]], labels, names)
        >>> {name: round(one.own_share.value, 1) for name, one in found.attributes.items()}
        {'Bald': 1.0, 'Male': 1.0, 'Young': 1.0, 'Goatee': 0.0, 'Mustache': 0.0}
        >>> found.attributes["Bald"].mark, found.attributes["Goatee"].region.reason
        ('its own', 'no region')
    """
    evidence, known = np.asarray(maps, np.float64), np.asarray(labels, np.float64)
    if maps.ndim != 4 or labels.shape != maps.shape[:2] or len(names) != maps.shape[1]:
        raise InputError(
            f"maps {maps.shape}, labels {labels.shape} and {counted(len(names), 'name')} do not belong together; "
            "expected (images, attributes, height, width), (images, attributes) and a name for each attribute"
        )
    if identities is not None and len(identities) != len(maps):
        raise InputError(f"{counted(len(identities), 'name')} of people for {counted(len(maps), 'image')}")
    if len(names) < 2:
        return Specificity({}, "one attribute: there are no other maps to compare its map with")
    people = Clusters.of([""] * len(maps) if identities is None else identities)
    if differences:
        own = given = OwnShare.none(known.shape, DIFFERENCES)
    else:
        own, given = own_share(evidence, people, seed=seed), own_share(evidence, people, known, seed=seed)
    beyond = own.unexplained - own.null * own.variance
    reasons = [own.reason or "the map is undefined or constant"] * len(names)
    shares = _parts(beyond, MARGIN * own.variance, people, level, reasons)
    ratios, ratios_given = (_ratios(each, people, level) for each in (own, given))
    regions, competitors = _regions(evidence, known, people, weights, total, overlaps, level)
    cells = math.prod(maps.shape[2:])
    if cells < MIN_CELLS:
        few = f"the grid has {counted(cells, 'cell')}; at least {MIN_CELLS} are needed"
        shares, regions = (
            [replace(part, verdict="cannot tell", reason=few) for part in parts] for parts in (shares, regions)
        )
    attributes = {}
    for a, (name, share, region) in enumerate(zip(names, shares, regions, strict=True)):
        verdicts = (share.verdict, region.verdict)
        mark: Mark = "its own" if "pass" in verdicts else "cannot tell"
        attributes[name] = AttributeSpecificity(
            mark="shows the image, not the attribute" if verdicts == ("fail", "fail") else mark,
            own_share=ratios[a],
            null=own.null,
            share=share,
            own_share_given_labels=ratios_given[a],
            null_given_labels=given.null,
            region=region,
            competitors=tuple(other for other, competes in zip(names, competitors[a], strict=True) if competes),
        )
    return Specificity(attributes)


def _regions(
    maps: Floats,
    labels: Floats,
    people: Clusters,
    weights: NDArray[np.floating] | None,
    total: NDArray[np.floating] | None,
    overlaps: Floats | None,
    level: float,
) -> tuple[list[Part], NDArray[np.bool_]]:
    """Carry out part (ii); also which attributes compete for each region."""
    count = maps.shape[1]
    if weights is None or total is None:
        nothing = np.full(maps.shape[:2], np.nan)
        return _parts(nothing, nothing, people, level, ["no region"] * count), np.zeros((count, count), bool)
    if overlaps is None:
        overlaps = region_overlaps(weights / total)
    competitors = competing(overlaps, label_correlations(labels))
    excess = region_excess(region_shares(maps, weights, total), labels, competitors)
    reasons = []
    for a in range(count):
        reason = "no image with the attribute, a region and evidence"
        if np.isnan(weights[..., a, :, :]).all():
            reason = "no region"
        elif competitors[a].sum() < FEWEST:
            reason = f"{counted(int(competitors[a].sum()), 'attribute')} to compare with; at least {FEWEST} are needed"
        reasons.append(reason)
    return _parts(excess, np.zeros_like(excess), people, level, reasons), competitors


def _ratios(own: OwnShare, people: Clusters, level: float) -> list[Estimate]:
    """Estimate own shares: ratios of means u / v, whose errors are those of the means of u - share·v, v of mean 1.

    A share is at most 1: what regression adds to a map on held-out images, it has not explained.
    """
    value = own.value
    means = overall_means(own.unexplained - value * own.variance, people, level=level)
    found = [means.estimate(0, a) for a in range(len(value))]
    return [
        replace(each, value=min(v, 1.0), low=_share(v + each.low), high=_share(v + each.high)) if each.defined else each
        for each, v in zip(found, value.tolist(), strict=True)
    ]


def _parts(values: Floats, least: Floats, people: Clusters, level: float, reasons: Sequence[str]) -> list[Part]:
    """Judge the means of A values per image.

    Args:
        values: ``(N, A)``, NaN for none.
        least: ``(N, A)``: what the values must exceed in the mean.
        people: Clusters of the images.
        level: Of the intervals.
        reasons: Why an attribute without values has none.
    """
    means = overall_means(values, people, (-1.0, 1.0), level)
    p = np.array([paired_test(column, people).p for column in (values - least).T])
    tested = np.isfinite(p)
    p[tested] = adjust_by_holm(p[tested])
    parts = []
    for a, missing in enumerate(reasons):
        excess = means.estimate(0, a)
        verdict: Outcome = "cannot tell"
        reason = "" if excess.defined else missing
        if excess.defined:
            if excess.small or not tested[a]:
                reason = f"too few: {images(excess)}"
            elif excess.low > np.nanmean(least[:, a]) and p[a] <= ALPHA:
                verdict = "pass"
            elif excess.high < MARGIN:
                verdict = "fail"
            else:
                reason = f"not settled by {images(excess)}"
        parts.append(Part(verdict, excess, float(p[a]), reason))
    return parts


def _share(value: float) -> float:
    return math.nan if math.isnan(value) else min(1.0, max(0.0, value))
