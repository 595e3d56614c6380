"""Measures that the overview compares between both classes, and their means in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bincam.report.reading.audited_model import Arm
from bincam.report.sections.words import wording
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, basis, images, interval, shown

Read = Callable[[Arm, str], tuple[Estimate, Estimate]]


def errors(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Return the errors of the minority and of the majority class."""
    return arm.rate(attribute, "minority_error"), arm.rate(attribute, "majority_error")


def gains(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Return the gains where the minority and where the majority class is predicted."""
    return by_answer(arm, attribute, "gain")


def by_answer(arm: Arm, attribute: str, measure: str) -> tuple[Estimate, Estimate]:
    """Return a measure where the minority and where the majority class is predicted."""
    minority, majority = (arm.measure(attribute, measure, f"predicted:{name}") for name in ("minority", "majority"))
    return minority, majority


def bias_shares(arm: Arm, attribute: str) -> tuple[Estimate, Estimate]:
    """Return the bias shares where the minority and where the majority class is predicted."""
    return by_answer(arm, attribute, "bias_share")


@dataclass(frozen=True)
class Comparison:
    """A measure that the overview compares between both classes.

    Attributes:
        title: Title of the figure.
        axis: Label of its axis.
        reading: How to read it; ``{explained}`` stands for the explained side.
        read: Function that returns the estimates of an attribute, minority first.
        overall: Measure and group of the means over attributes, minority first.
        kind: ``percent`` or ``number``.
        family: Name of the tests that compare the classes.
    """

    title: str
    axis: str
    reading: str
    read: Read
    overall: tuple[tuple[str, str], tuple[str, str]]
    kind: Kind
    family: str

    def means(self, arm: Arm, attributes: Sequence[str]) -> tuple[Estimate, Estimate]:
        """Return the means over attributes, minority first."""
        first, second = (self.mean_alike([arm], attributes, place)[0] for place in (0, 1))
        return first, second

    def alike(self, arms: Sequence[Arm], attributes: Sequence[str], place: int) -> list[str]:
        """List the attributes of which every model has the figure of a class; minority is 0, majority 1."""
        return [name for name in attributes if all(self.read(arm, name)[place].defined for arm in arms)]

    def mean_alike(self, arms: Sequence[Arm], attributes: Sequence[str], place: int) -> list[Estimate]:
        """Return the means of each model over the same attributes, so that they can be compared.

        They have no interval where some model has the figure of further attributes, which its own mean includes.
        """
        same = self.alike(arms, attributes, place)
        measure, group = self.overall[place]
        means = []
        for arm in arms:
            own = [name for name in attributes if self.read(arm, name)[place].defined]
            mean = arm.overall(attributes, measure, group) if own == same else arm.mean_of(same, measure, group)
            means.append(mean if mean.defined or not same else arm.mean_of(same, measure, group))
        return means

    def defined(self, arm: Arm, attributes: Sequence[str]) -> dict[str, tuple[Estimate, Estimate]]:
        """Return the attributes defined for both classes; those of few images only where there are no others."""
        estimates = {name: self.read(arm, name) for name in attributes}
        defined = {name: pair for name, pair in estimates.items() if pair[0].defined and pair[1].defined}
        reliable = {name: pair for name, pair in defined.items() if not (pair[0].small or pair[1].small)}
        return reliable or {name: pair for name, pair in defined.items() if not any(map(wording.few, pair))}


ERRORS = Comparison(
    "Error by class",
    "error [%]",
    "Share of each class that is misclassified.",
    errors,
    (("minority_error", ""), ("majority_error", "")),
    "percent",
    "minority error exceeds majority error",
)


GAINS = Comparison(
    "Evidence in the expected region (gain)",
    "gain",
    "Chance-corrected energy of the evidence for {explained} in the expected region, by predicted class: 0 (dashed) is "
    "chance, 1 is all evidence inside.",
    gains,
    (("gain", "predicted:minority"), ("gain", "predicted:majority")),
    "number",
    "gain differs between predicted classes",
)


BIAS_SHARES = Comparison(
    "Support not located in the image (bias share)",
    "bias share [%]",
    "Share of the support for {explained} that is not located in the image, counted from {reference}, by predicted "
    "class.",
    bias_shares,
    (("bias_share", "predicted:minority"), ("bias_share", "predicted:majority")),
    "percent",
    "bias_share differs between predicted classes",
)


def basis_of_mean(mean: Estimate, attributes: int) -> str:
    """Write the images behind a mean over attributes: of the attribute that has most."""
    if not mean.defined:
        return "undefined"
    if mean.images == 1:
        return "of one image: no headline"
    if not mean.images:
        return ""
    if attributes == 1:
        return basis(mean)
    return f"at most {images(mean)}" + (", for some attributes too few to rely on" if mean.small else "")


def without_reference(arm: Arm, attributes: Sequence[str]) -> tuple[Estimate, Estimate]:
    """Return the mean bias shares without a reference, minority first."""
    minority, majority = (
        arm.overall(attributes, "zero.bias_share", f"predicted:{name}") for name in ("minority", "majority")
    )
    return minority, majority


def mean_text(mean: Estimate, attributes: Sequence[str], kind: Kind = "number") -> str:
    """Write a mean over attributes in a finding, with its interval and what it rests on."""
    behind = basis_of_mean(mean, len(attributes))
    if wording.few(mean):
        return f"undefined ({behind})" if mean.images == 1 else "undefined"
    return " ".join(filter(None, (shown(mean, kind), interval(mean, kind), f"({behind})" if behind else "")))
