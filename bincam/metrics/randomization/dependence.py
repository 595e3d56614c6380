"""Verdict of the calibrated randomisation test: maps that depend on the image, and then on the model's parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.metrics.randomization.image_pairs import Pairs, pairs, unit_ranks
from bincam.metrics.randomization.template import templates, unit_maps, variance_left, without_template
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES, Estimate, Floats, undefined
from bincam.stats.formatting import counted, number, percent

LEAST_VARIANCE = 0.05
"""With less of their variance left, the maps of all images are one map."""

MARGIN = 0.05
"""Of the excess: untrained convolutions keep edges, so maps that depend on the model are a little alike, too."""

TWO_SIDED = 0.9
"""Level of the intervals, whose ends are one-sided bounds of 95 %."""

MIN_CELLS = 9
"""With fewer cells even unrelated maps have a mean |Spearman| of .3 and more."""

DEFINED = 0.5
"""Least share of comparisons that must be defined."""

Outcome = Literal["pass", "fail", "cannot tell"]


@dataclass(frozen=True)
class Likeness:
    """Mean |Spearman| over the cells, of the learned network's maps and the random networks'.

    Attributes:
        same: Of the same image.
        other: Of images of different people.
    """

    same: float
    other: float


@dataclass(frozen=True)
class ParameterDependence:
    """Whether a method's maps depend on the image and on the parameters.

    Attributes:
        verdict: ``pass``, ``fail`` or ``cannot tell``.
        reason: Why it is not ``pass``; else empty.
        variance_left: Share of the variance of unit-length maps that is left without each attribute's mean map.
        variance_by_attribute: ``(A,)``: the same of each attribute; NaN where it has no two maps.
        excess: Likeness of the same image less that of other people's images, the mean maps removed, of the worst
            draw. The ends of its interval are one-sided 95 % bounds. Undefined where it was not computed.
        excess_by_draw: The same of each random network.
        without_template: The two likenesses that the excess is the difference of, over all draws.
        as_drawn: The same of maps that still have their template: what the published test looks at.
        template: Mean |Spearman| of the learned and the random networks' mean maps; NaN where undefined.
        undefined: Share of comparisons of the same image that are undefined.
        cells: Number of cells.

    Example:
        >>> from bincam.metrics import parameter_dependence
        >>> maps = np.random.default_rng(0).normal(size=(8, 2, 7, 7))
        >>> found = parameter_dependence(maps, [maps])
        >>> found.verdict, found.passed, found.reason
        ('cannot tell', False, '8 images; at least 20 are needed')
    """

    verdict: Outcome
    reason: str
    variance_left: Estimate
    variance_by_attribute: Floats
    excess: Estimate
    excess_by_draw: tuple[Estimate, ...]
    without_template: Likeness
    as_drawn: Likeness
    template: float
    undefined: float
    cells: int

    @property
    def passed(self) -> bool:
        """True if the verdict is ``pass``."""
        return self.verdict == "pass"


def parameter_dependence(
    learned: NDArray[np.floating],
    randomised: Sequence[NDArray[np.floating]],
    identities: Sequence[str] | None = None,
    sides: NDArray[np.integer] | None = None,
) -> ParameterDependence:
    """Judge if maps depend on the image, and if what then remains depends on the model's parameters.

    (i) Maps are centred over their cells and scaled to unit length. If the mean map of each attribute holds all but
    ``LEAST_VARIANCE`` of their variance, the method draws the same map for every image and fails; (ii) is left out.

    (ii) The mean map of each attribute is removed from the maps of each network (leave-one-out). What is left of an
    image's map is compared with what is left of the random network's map of the same image, by |Spearman| over the
    cells, and with its maps of all images of other people: edges, or anything else that an image shows without being
    learned, make the first greater. An image's excess is the mean over attributes; its interval is that of a mean
    over people. The method passes if the upper bound of every draw is below ``MARGIN``, fails if the lower bound of
    the worst is above, and else nothing can be told.

    The idea of comparing with a randomised model is that of Adebayo et al. 2018 (arXiv 1810.03292); both parts of the
    calibration are ours.

    Args:
        learned: ``(B, A, h, w)``: maps of the learned network, NaN or constant where there is none.
        randomised: The same images' maps of each network with all parameters random, as many as there are draws.
        identities: B names of people, empty for an unknown one; None if each image is of another person.
        sides: ``(B, A)``: the explained sides; the mean map is taken of either.

    Returns:
        The verdict and its figures.

    Raises:
        InputError: There is no random network, or shapes and numbers do not match.

    Example:
        Maps that are the image's brightness, whatever the parameters, and maps that are the model's:

        >>> random = np.random.default_rng(0)
        >>> image, one, other = (random.normal(size=(40, 1, 7, 7)) for _ in range(3))
        >>> brightness = parameter_dependence(image, [image, image])
        >>> brightness.verdict, round(brightness.excess.value, 1)
        ('fail', 0.9)
        >>> parameter_dependence(image, [one, other]).verdict
        'pass'
    """
    _check(learned, randomised, identities, sides)
    codes = Clusters.of([""] * len(learned) if identities is None else identities)
    units, others = unit_maps(learned), [unit_maps(maps) for maps in randomised]
    left = variance_left(units, sides)
    share = _mean(_over_attributes(left), codes, (0.0, math.inf))
    cells = units.shape[-1]
    found = ParameterDependence(
        verdict="cannot tell",
        reason="",
        variance_left=share,
        variance_by_attribute=_over_attributes(left.T),
        excess=undefined("not computed", share.images, share.identities),
        excess_by_draw=(),
        without_template=Likeness(math.nan, math.nan),
        as_drawn=Likeness(math.nan, math.nan),
        template=math.nan,
        undefined=1.0,
        cells=cells,
    )
    constant = 1 - float(np.isfinite(units).all(-1).mean())
    if reason := _unjudged(cells, codes, constant):
        return replace(found, reason=reason)
    if not share.defined:
        return replace(found, reason="no two maps of an attribute and side, so nothing is known of their mean map")
    if share.value < LEAST_VARIANCE:
        text = f"the same map for every image: its mean map holds {percent(1 - share.value)} of the maps' variance"
        return replace(found, verdict="fail", reason=text)
    return _of_parameters(found, units, others, codes, sides)


def _of_parameters(
    found: ParameterDependence,
    learned: Floats,
    randomised: Sequence[Floats],
    people: Clusters,
    sides: NDArray[np.integer] | None,
) -> ParameterDependence:
    """Carry out part (ii)."""
    rest = without_template(learned, sides)
    compared = [pairs(rest, without_template(maps, sides), people.codes) for maps in randomised]
    drawn = [pairs(learned, maps, people.codes) for maps in randomised]
    own = unit_ranks(templates(learned, sides))
    alike = [np.abs((own * unit_ranks(templates(maps, sides))).sum(-1)) for maps in randomised]
    by_draw = tuple(_mean(draw.excess, people, (-1.0, 1.0)) for draw in compared)
    missing = float(np.mean([np.isnan(draw.same).mean() for draw in compared]))
    found = replace(
        found,
        excess_by_draw=by_draw,
        without_template=_likeness(compared),
        as_drawn=_likeness(drawn),
        template=_finite_mean(alike),
        undefined=missing,
    )
    if missing > 1 - DEFINED:
        text = f"{percent(missing, 0)} of the maps are constant, or nothing but the mean map, in one of the networks"
        return replace(found, reason=text)
    if not all(math.isfinite(draw.low) and math.isfinite(draw.high) for draw in by_draw):
        return replace(found, reason="too few images have a likeness, or all have the same, which gives no bound")
    worst = max(by_draw, key=lambda draw: draw.high)
    failed = [draw for draw in by_draw if draw.low > MARGIN]
    if failed:
        worst = max(failed, key=lambda draw: draw.low)
        text = (
            f"with all parameters random the maps of an image remain more alike than those of different images: "
            f"|Spearman| is greater by {number(worst.value)}, at least {number(worst.low)}"
        )
        return replace(found, verdict="fail", excess=worst, reason=text)
    if worst.high < MARGIN:
        return replace(found, verdict="pass", excess=worst)
    text = (
        f"{counted(worst.images, 'image')} do not settle it: |Spearman| of the same image is greater by "
        f"{number(worst.value)}, at most {number(worst.high)}, and {number(MARGIN)} is allowed"
    )
    return replace(found, excess=worst, reason=text)


def _check(
    learned: NDArray[np.floating],
    randomised: Sequence[NDArray[np.floating]],
    identities: Sequence[str] | None,
    sides: NDArray[np.integer] | None,
) -> None:
    if not randomised:
        raise InputError("no maps of a randomised network; at least one draw is needed")
    for maps in randomised:
        if maps.shape != learned.shape:
            raise InputError(f"maps {maps.shape} of a randomised network; the learned one's are {learned.shape}")
    if identities is not None and len(identities) != len(learned):
        raise InputError(f"{counted(len(identities), 'name')} of people for {counted(len(learned), 'image')}")
    if sides is not None and sides.shape != learned.shape[:2]:
        raise InputError(f"sides {sides.shape}; expected {learned.shape[:2]}, one for each map")


def _unjudged(cells: int, people: Clusters, constant: float) -> str:
    """Say why there can be no verdict; empty if there can."""
    images = len(people.codes)
    if cells < MIN_CELLS:
        return f"the grid has {counted(cells, 'cell')}; at least {MIN_CELLS} are needed"
    if people.known and people.count == 1:
        return "all images are of one person, so there are no other people's images to compare with"
    if images < MIN_IMAGES or (people.known and people.count < MIN_IDENTITIES):
        of = f" of {counted(people.count, 'person', 'people')}" if people.known else ""
        least = f" of {MIN_IDENTITIES} people" if people.known else ""
        return f"{counted(images, 'image')}{of}; at least {MIN_IMAGES}{least} are needed"
    if constant > 1 - DEFINED:
        return f"{percent(constant, 0)} of the maps are constant or not finite"
    return ""


def _mean(values: Floats, people: Clusters, bounds: tuple[float, float]) -> Estimate:
    """Estimate the mean of one value per image, NaN for none."""
    return overall_means(values[:, None], people, bounds, TWO_SIDED).estimate(0, 0)


def _over_attributes(values: Floats) -> Floats:
    """Average ``(N, M)`` to ``(N,)`` over what is defined; NaN where nothing is."""
    count = np.isfinite(values).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(values, 1) / count)


def _likeness(draws: Sequence[Pairs]) -> Likeness:
    return Likeness(_finite_mean([draw.same for draw in draws]), _finite_mean([draw.other for draw in draws]))


def _finite_mean(values: Sequence[Floats]) -> float:
    joined = np.concatenate([value.ravel() for value in values])
    finite = joined[np.isfinite(joined)]
    return float(finite.mean()) if len(finite) else math.nan
