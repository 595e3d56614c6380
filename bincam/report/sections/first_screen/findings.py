"""Findings: the overview in one statement per measure and model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bincam.report.reading.audited_model import Arm
from bincam.report.sections.first_screen.comparisons import (
    BIAS_SHARES,
    ERRORS,
    GAINS,
    mean_text,
    without_reference,
)
from bincam.report.sections.words import sentences, wording
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import DIFFERENCE, counted, interval
from bincam.stats.hypotheses.families import undecided


def findings(arms: Sequence[Arm], attributes: Sequence[str]) -> list[str]:
    """Summarise the overview in one statement per measure and arm."""
    statements = [
        summarise(arm, attributes, arm.phrase if len(arms) > 1 else "the model")
        for arm in arms
        for summarise in (_error_finding, _gain_finding, _bias_finding)
    ]
    return [text[0].upper() + text[1:] for text in statements if text]


def _tested(arm: Arm, name: str, what: str) -> str:
    """State for how many attributes a family of tests is significant; empty where nothing was tested."""
    family = arm.family(name)
    if not family or not family["size"]:
        return ""
    kind = next(comparison.kind for comparison in (ERRORS, GAINS, BIAS_SHARES) if comparison.family == name)
    missed = undecided(family["tests"], DIFFERENCE[kind])
    others = f"; of the others, {missed}" if missed and family["findings"] else f"; {missed}" if missed else ""
    return (
        f" {what} for {family['findings']} of {counted(family['size'], 'tested attribute')} (Holm-corrected){others}."
    )


def _error_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = ERRORS.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = ERRORS.means(arm, attributes)
    # The tests are one-sided, so they say nothing if the classes are exchanged.
    turned = any(arm.turned(name) for name in attributes)
    rarer, other = wording.classes(arm, attributes)
    tested = "" if turned else _tested(arm, ERRORS.family, f"The error of the {rarer} is significantly higher")
    name = max(pairs_of, key=lambda n: pairs_of[n][0].value - pairs_of[n][1].value)
    worst = pairs_of[name]
    return (
        f"{model} misclassifies {mean_text(minority, attributes, 'percent')} of the {rarer} and "
        f"{mean_text(majority, attributes, 'percent')} of the {other} on average.{tested} Largest difference: {name}, "
        f"{wording.headline(worst[0], 'percent')} against {wording.headline(worst[1], 'percent')}."
    )


def _gain_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = GAINS.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = GAINS.means(arm, attributes)
    tested = _tested(arm, GAINS.family, "The two differ significantly")
    rarer, other = wording.answers(arm, attributes)
    return (
        f"the mean gain of {model} in the expected region is {mean_text(minority, attributes)} where it predicts "
        f"{rarer} and {mean_text(majority, attributes)} where it predicts {other}.{tested}"
        f"{_chance([pair[1] for pair in pairs_of.values()], other)}"
    )


def _value(share: Estimate) -> str:
    """Write a share with its interval."""
    return " ".join(filter(None, (wording.marked(share, "percent"), interval(share, "percent"))))


def _chance(gains: Sequence[Estimate], predicted: str) -> str:
    """State for how many attributes the majority's gain is not above chance, of those that have an interval."""
    lows = [gain.low for gain in gains if math.isfinite(gain.low)]
    rest = len(gains) - len(lows)
    without = f"{counted(rest, 'attribute')} {'have' if rest > 1 else 'has'} no interval"
    if not lows:
        return f" Where it predicts {predicted}, {without}."
    return (
        f" Where it predicts {predicted}, the gain is not significantly above chance for "
        f"{sum(low <= 0 for low in lows)} of {counted(len(lows), 'attribute')}{f'; {without}' if rest else ''}."
    )


def _bias_finding(arm: Arm, attributes: Sequence[str], model: str) -> str:
    pairs_of = BIAS_SHARES.defined(arm, attributes)
    if not pairs_of:
        return ""
    minority, majority = BIAS_SHARES.means(arm, attributes)
    name = max(pairs_of, key=lambda n: pairs_of[n][1].value)
    tested = _tested(arm, BIAS_SHARES.family, "The two differ significantly")
    rarer, other = wording.answers(arm, attributes)
    zero = without_reference(arm, attributes)
    without = f"without a reference (zero), the head's own constant is {_value(zero[1])} and {_value(zero[0])} of it"
    return (
        f"counted from {wording.reference(arm)}, {mean_text(majority, attributes, 'percent')} of the support for "
        f"{sentences.explained(arm)} is not located in the image where {model} predicts {other}, and "
        f"{mean_text(minority, attributes, 'percent')} where it predicts {rarer}; {without}.{tested} Highest: {name}, "
        f"{wording.headline(pairs_of[name][1], 'percent')}."
    )
