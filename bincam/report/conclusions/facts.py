"""What the rules of conclusions read: figures of an audit or a contrast, without its files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bincam.stats.estimate import Estimate
from bincam.stats.formatting import written

Direction = Literal["positive", "negative", "mixed", "tied"]
"""Which class is the rarer one of the attributes: of all the positive or the negative one, now this and now that, or
neither."""


@dataclass(frozen=True)
class Pair:
    """Two figures of an attribute or of a mean over attributes: of the minority and of the majority class."""

    minority: Estimate
    majority: Estimate

    @property
    def parts(self) -> tuple[Estimate, Estimate]:
        """The two figures, minority first."""
        return self.minority, self.majority

    @property
    def defined(self) -> bool:
        """True where both have a value."""
        return self.minority.defined and self.majority.defined


@dataclass(frozen=True)
class MapTest:
    """The result of the model-parameter randomisation test of the method whose maps are shown.

    Attributes:
        model: The model in a sentence.
        method: The method.
        verdict: ``untested`` where the test was not run.
        reason: Why it was not passed; empty for ``pass``.
        excess: By how much |Spearman| is greater for the same image than for images of other people.
        margin: The most that passes; NaN where the audit does not state it.
        variance_left: Share of the maps' variance that is left without their mean map.
        least_variance: The least that passes; NaN where the audit does not state it.
    """

    model: str
    method: str
    verdict: Literal["pass", "fail", "cannot tell", "untested"]
    reason: str
    excess: Estimate
    margin: float
    variance_left: Estimate
    least_variance: float


@dataclass(frozen=True)
class Facts:
    """What the verdict of a page is made from.

    Attributes:
        models: The audited models in a sentence, one or two.
        direction: Which class is the rarer one.
        attributes: The attributes that the means are over.
        left_out: Attributes that are in no mean, because a class has too few images or people.
        errors: Mean errors of each model.
        at_threshold: Mean errors of the first model at its adjusted thresholds; None where none are known.
        change: First minus second model; None for one model.
        left: First model at its adjusted thresholds minus second model; for one model, as audited minus adjusted.
        worse_for_the_rarer: Attributes whose minority error is significantly the greater one, and the attributes
            tested; None where nothing was tested.
        above: Attributes of which a class is certain to be misclassified more often than tolerated.
        maps: The randomisation test of each model; empty where no attribute has maps.
        example: The rarer class of one of the attributes in words, such as ``with Bald``; empty for none.
        differing: Attributes of which an error differs significantly between the models.
        detectable: What a difference between the models would have had to be to be found, in words.
        optimistic: True where the adjusted thresholds were tuned on the audited images.
    """

    models: tuple[str, ...]
    direction: Direction
    attributes: tuple[str, ...]
    left_out: tuple[str, ...]
    errors: tuple[Pair, ...]
    at_threshold: Pair | None = None
    change: Pair | None = None
    left: Pair | None = None
    worse_for_the_rarer: tuple[int, int] | None = None
    above: tuple[str, ...] = ()
    maps: tuple[MapTest, ...] = ()
    example: str = ""
    differing: int = 0
    detectable: str = ""
    optimistic: bool = False


@dataclass(frozen=True)
class ReferenceGain:
    """What a threshold gains that is chosen on the reference split, judged on people whom it was not chosen on.

    Attributes:
        split: The reference split in words, such as ``validation``.
        chosen: Errors there, at thresholds chosen on other people.
        gained: Errors at the audited threshold minus these, of the same images.
    """

    split: str
    chosen: Pair
    gained: Pair


@dataclass(frozen=True)
class AttributeFacts:
    """What the action on an attribute, or on an output of a set, is chosen from; of one model.

    Attributes:
        name: The attribute.
        classes: Its classes in words, minority first, such as ``with Bald`` and ``without Bald``.
        errors: Errors of both classes.
        threshold: The adjusted threshold in logit units; NaN where none is known, or it is the audited one.
        at_threshold: Errors at the adjusted threshold.
        least_error: The least that the error of the worse class can be at any threshold, of the audited images
            themselves, so optimistic; NaN without images of both classes.
        gained: Errors as audited minus those at the adjusted threshold, of the same images.
        on_reference: What choosing it gains on images that are not audited; None where that is not known.
        elsewhere: Why its evidence is elsewhere than expected; empty where that is not shown.
        shows_the_image: True if its maps show the image, not the attribute.
        taken_for: What it is most often taken for, in words; of outputs of sets.
        of_set: The set that it is an output of; empty for an attribute.
    """

    name: str
    classes: tuple[str, str]
    errors: Pair
    threshold: float = math.nan
    at_threshold: Pair | None = None
    gained: Pair | None = None
    least_error: float = math.nan
    on_reference: ReferenceGain | None = None
    elsewhere: str = ""
    shows_the_image: bool = False
    taken_for: str = ""
    of_set: str = ""


def certainly_above(rate: Estimate, tolerated: float) -> bool:
    """Return True where a rate is above what is tolerated with its whole interval, of enough images."""
    return rate.defined and not rate.small and rate.low > tolerated


def avoids_region(gain: Estimate) -> str:
    """Say that evidence avoids the expected region, where its whole interval is below chance; else nothing.

    Args:
        gain: Of the images where the attribute is found.
    """
    if not below_zero(gain):
        return ""
    return f"the evidence avoids the expected region where it is found: gain {written(gain)}, 0 is chance"


def above_zero(difference: Estimate) -> bool:
    """Return True where a difference is above 0 with its whole interval, of enough images."""
    return difference.defined and not difference.small and difference.low > 0


def below_zero(difference: Estimate) -> bool:
    """Return True where a difference is below 0 with its whole interval, of enough images."""
    return difference.defined and not difference.small and difference.high < 0


def apart(first: Estimate, second: Estimate) -> bool:
    """Return True where two intervals do not overlap, so that the figures differ.

    The interval of their difference then excludes 0 however the two depend on one another, because no correlation makes
    it wider than both together.
    """
    if any(not one.defined or one.small or math.isnan(one.low + one.high) for one in (first, second)):
        return False
    return first.low > second.high or second.low > first.high
