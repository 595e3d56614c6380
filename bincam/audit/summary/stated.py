"""Figures that the user states something for: a specificity, a sensitivity, a prevalence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bincam.audit.summary.panel import Panel
from bincam.errors import InputError, nearest
from bincam.stats.estimate import LEVEL
from bincam.stats.rates.operating_point import Rate, checked_rates, rate_at
from bincam.stats.rates.predictive_value import predictive_values

Prevalence = float | Sequence[float] | Mapping[str, float | Sequence[float]] | None
"""Prevalences as they are stated: for all attributes, or by attribute."""

USUAL = (0.95,)
"""Sensitivities and specificities at which the other rate is estimated, where none are stated."""


@dataclass(frozen=True)
class Stated:
    """The rates and prevalences at which figures are estimated.

    Attributes:
        specificity: Specificities at which the sensitivity is estimated.
        sensitivity: Sensitivities at which the specificity is estimated.
        prevalence: Prevalences at which predictive values are estimated, by attribute; the attributes without any have
            those of the audited images alone, which all have.

    Raises:
        InputError: A number is not between 0 and 1, or is stated twice.
    """

    specificity: Sequence[float] = USUAL
    sensitivity: Sequence[float] = USUAL
    prevalence: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("specificity", "sensitivity"):
            object.__setattr__(self, name, checked_rates(getattr(self, name), name))
        checked = {name: checked_rates(values, f"prevalence of {name}") for name, values in self.prevalence.items()}
        object.__setattr__(self, "prevalence", checked)

    @classmethod
    def of(
        cls,
        attributes: Sequence[str],
        specificity: Sequence[float] = USUAL,
        sensitivity: Sequence[float] = USUAL,
        prevalence: Prevalence = None,
        one_of: Mapping[str, Sequence[str]] | None = None,
    ) -> Stated:
        """Make the statements about some attributes.

        Args:
            attributes: The audited attributes.
            specificity: See the class.
            sensitivity: See the class.
            prevalence: A number or several for all attributes, or by attribute.
            one_of: The audited sets of outputs.

        Raises:
            InputError: As for the class, or a prevalence is stated of a set, of an output of a large one, or of what is
                not audited.

        >>> Stated.of(["Bald", "Young"], prevalence=0.1).prevalence
        {'Bald': (0.1,), 'Young': (0.1,)}
        """
        if prevalence is None:
            return cls(specificity, sensitivity)
        if not isinstance(prevalence, Mapping):
            prevalence = dict.fromkeys(attributes, prevalence)
        for name in prevalence:
            if name not in attributes:
                raise InputError(f"prevalence: {name!r} is {_why_not(name, attributes, one_of or {})}")
        by_attribute = {name: (v,) if isinstance(v, int | float) else tuple(v) for name, v in prevalence.items()}
        return cls(specificity, sensitivity, by_attribute)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return {
            "specificity": list(self.specificity),
            "sensitivity": list(self.sensitivity),
            "prevalence": {name: list(values) for name, values in self.prevalence.items()},
        }


def _why_not(name: str, attributes: Sequence[str], one_of: Mapping[str, Sequence[str]]) -> str:
    """Say why no prevalence can be stated of a name."""
    if name in one_of:
        outputs = [output for output in one_of[name] if output in attributes]
        other = f"state it of an output, such as {outputs[0]!r}" if outputs else "leave it out"
        return f"a set of outputs, each of which has a prevalence of its own; {other}"
    owner = next((owner for owner, outputs in one_of.items() if name in outputs), None)
    if owner is not None:
        return f"an output of the large set {owner!r}, whose outputs have no predictive values; leave it out"
    return f"not audited{nearest(name, attributes)}"


def stated_figures(panel: Panel, a: int, stated: Stated, level: float = LEVEL) -> list[dict[str, Any]]:
    """Estimate the figures of one attribute at what is stated.

    Args:
        panel: The records.
        a: Index of the attribute.
        stated: The rates and prevalences.
        level: Confidence level.

    Returns:
        Entries of sensitivities, specificities, and positive and negative predictive values; each has ``measure``,
        ``at``, ``stated`` and ``reason`` in addition to the estimate.
    """
    label, logit, clusters = panel.label[:, a], panel.logit[:, a], panel.clusters
    at: dict[Rate, Sequence[float]] = {"sensitivity": stated.specificity, "specificity": stated.sensitivity}
    entries = [
        rate_at(measure, value, logit, label, clusters, level).to_json()
        for measure, values in at.items()
        for value in values
    ]
    attribute = panel.attributes[a]
    prevalences = (None, *stated.prevalence.get(attribute, ()))
    predicted = np.asarray(panel.predicted[:, a], float)
    for prevalence in prevalences:
        entries += predictive_values(predicted, label, clusters, prevalence, level).to_json()
    return entries
