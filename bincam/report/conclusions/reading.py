"""Conclusions of an audit or a contrast: its figures read, and the rules applied to them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bincam.compare.contrast import overall_errors
from bincam.compare.paired_audits import REFERENCE_SPLIT
from bincam.compare.paired_differences import COLUMNS
from bincam.compare.pairs.opened import pair_records
from bincam.compare.sentences import ERRORS
from bincam.report.conclusions.actions import TOLERATED, Action, actions, counts
from bincam.report.conclusions.choices import Choice, choices
from bincam.report.conclusions.choices import counts as choice_counts
from bincam.report.conclusions.facts import (
    AttributeFacts,
    Direction,
    Facts,
    MapTest,
    Pair,
    avoids_region,
    certainly_above,
)
from bincam.report.conclusions.frequencies import frequency
from bincam.report.conclusions.reliance import Reliance, map_test, of_models
from bincam.report.conclusions.sets.facts import (
    compared_outputs,
    facts_of_audit,
    facts_of_contrast,
    output_facts,
    sets_of,
)
from bincam.report.conclusions.statements import Statement
from bincam.report.conclusions.thresholds import (
    At,
    at_thresholds,
    averages,
    least_error,
    reference_gain,
    tuned_thresholds,
)
from bincam.report.conclusions.verdict import verdict
from bincam.report.reading.audited_model import Arm, common, minority_share
from bincam.report.reading.contrast import Contrast
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.attributes.elsewhere import elsewhere
from bincam.stats.clustered.average_errors import PARTS, AverageErrors
from bincam.stats.estimate import Estimate
from bincam.stats.hypotheses.families import undecided

MOST_ROWS = 20
"""Outputs of a set that the page lists."""

_Row = TypeVar("_Row", Action, Choice)

RARER_WORSE = "minority error exceeds majority error"
"""Name of the family of an audit's tests of errors."""


@dataclass(frozen=True)
class Conclusions:
    """What a page concludes.

    Attributes:
        verdict: Statements in plain words.
        reliance: What may not be relied on, of each model whose maps did not pass the randomisation test.
        actions: What to do about each attribute and output, sorted by harm; of one model.
        choices: Which of two models to take for each, and what to do about both; sorted by the harm that remains.
        tolerated: The error of a class that is tolerated.
    """

    verdict: tuple[Statement, ...]
    reliance: tuple[Reliance, ...]
    actions: tuple[Action, ...]
    choices: tuple[Choice, ...]
    tolerated: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object, None for NaN."""
        return {
            "verdict": [one.to_json() for one in self.verdict],
            "reliance": [one.to_json() for one in self.reliance],
            "actions": [one.to_json() for one in self.actions],
            "choices": [one.to_json() for one in self.choices],
            "tolerated": self.tolerated,
        }

    @property
    def rows(self) -> tuple[Action, ...] | tuple[Choice, ...]:
        """The actions or choices that the page lists: all, but of a large set those alone that come first."""
        return tuple(_listed(self.choices)) if self.choices else tuple(_listed(self.actions))

    @property
    def unlisted(self) -> dict[str, int]:
        """The number of outputs of each large set that are not listed."""
        shown = Counter(one.of_set for one in self.rows)
        every = Counter(one.of_set for one in (self.choices or self.actions))
        return {name: count - shown[name] for name, count in every.items() if count > shown[name]}

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The number of attributes and outputs by action, or by choice."""
        return choice_counts(self.choices) if self.choices else counts(self.actions)

    @property
    def model_counts(self) -> list[list[tuple[str, int]]]:
        """The number of attributes and outputs by action, of each of two models."""
        return [counts([one.actions[place] for one in self.choices]) for place in (0, 1)] if self.choices else []

    @property
    def tolerated_text(self) -> str:
        """The tolerated error as a frequency."""
        return frequency(self.tolerated)

    @property
    def mark(self) -> str:
        """The mark of figures that are made of maps; empty where all maps passed."""
        return next((one.mark for one in sorted(self.reliance, key=lambda one: one.tone)), "")


def conclude(arms: Sequence[Arm], contrast: Contrast | None = None, *, tolerated: float = TOLERATED) -> Conclusions:
    """Draw the conclusions of a page.

    Args:
        arms: One audited model, or two.
        contrast: The comparison of the two.
        tolerated: The error of a class that is tolerated.
    """
    attributes, sets = common(arms), sets_of(arms, contrast)
    tests = [map_test(arm, arm.phrase if len(arms) > 1 else "the model") for arm in arms]
    maps = tuple(tests) if attributes or any(arm.audit.one_of for arm in arms) else ()
    unreliable = tuple(of_models(maps, arms))
    if not attributes and not sets:
        return Conclusions((), unreliable, (), (), tolerated)
    if contrast is None:
        of_each = [
            *attribute_facts(arms[0], attributes),
            *(one for name in sets for one in output_facts(arms[0], name)),
        ]
        of_sets = [facts_of_audit(arms[0], name, tolerated) for name in sets]
        facts = _facts_of_audit(arms[0], attributes, maps, of_each, tolerated)
        return Conclusions(verdict(facts, of_sets), unreliable, tuple(actions(of_each, tolerated)), (), tolerated)
    moved = contrast.document["moved"]
    first = attribute_facts(arms[0], attributes, moved["thresholds"])
    if moved.get("from") not in ("card", REFERENCE_SPLIT):  # the audit says nothing of what a stated threshold gains
        first = [replace(one, on_reference=None) for one in first]
    second, changes = attribute_facts(arms[1], attributes), changes_of(contrast, attributes)
    facts = _facts_of_contrast(contrast, attributes, maps, first, tolerated)
    for name in sets:
        of_first, of_second, of_change = compared_outputs(contrast, name)
        first, second, changes = [*first, *of_first], [*second, *of_second], {**changes, **of_change}
    chosen = choices(first, second, changes, [arm.label for arm in arms], tolerated)
    statements = verdict(facts, [facts_of_contrast(contrast, name) for name in sets])
    return Conclusions(statements, unreliable, (), tuple(chosen), tolerated)


def attribute_facts(
    arm: Arm, attributes: Sequence[str], thresholds: Mapping[str, float] | None = None
) -> list[AttributeFacts]:
    """Read what the actions on attributes are chosen from.

    Args:
        arm: The audited model.
        attributes: The attributes.
        thresholds: Adjusted thresholds in logit units; by default those that were tuned on other images.
    """
    moved = at_thresholds(arm, attributes, tuned_thresholds(arm, attributes) if thresholds is None else thresholds)
    passed = map_test(arm, "").verdict == "pass"
    found = elsewhere(arm) if passed else {}
    result = []
    for name in attributes:
        at: At | None = moved.get(name)
        result.append(
            AttributeFacts(
                name=name,
                classes=("with " + name, "without " + name)
                if arm.minority(name) > 0
                else ("without " + name, "with " + name),
                errors=_errors(arm, name),
                threshold=math.nan if at is None else at.threshold,
                at_threshold=None if at is None else at.errors,
                gained=None if at is None else at.gained,
                on_reference=reference_gain(arm, name),
                least_error=least_error(arm, name),
                elsewhere=_elsewhere(arm, name, found) if passed else "",
                shows_the_image=map_checks.shows_the_image(arm, name),
            )
        )
    return result


def changes_of(contrast: Contrast, attributes: Sequence[str]) -> dict[str, Pair]:
    """Read the errors of the first minus those of the second model, of the same images, by attribute."""
    pair = f"{COLUMNS[0]} - {COLUMNS[2]}"
    result = {}
    for name in attributes:
        of_name = contrast.document["attributes"][name]["error_differences"]
        result[name] = Pair(*(Estimate.from_json(of_name[f"{part}_error"][pair]["difference"]) for part in PARTS))
    return result


def _above(of_each: Sequence[AttributeFacts], tolerated: float) -> tuple[str, ...]:
    return tuple(one.name for one in of_each if any(certainly_above(rate, tolerated) for rate in one.errors.parts))


def _facts_of_audit(
    arm: Arm,
    attributes: Sequence[str],
    maps: tuple[MapTest, ...],
    of_each: Sequence[AttributeFacts],
    tolerated: float,
) -> Facts:
    if not attributes:
        return Facts(("the model",), "tied", (), (), (), maps=maps)
    average = averages(arm, attributes, tuned_thresholds(arm, attributes))
    family = None if any(arm.turned(name) for name in attributes) else arm.family(RARER_WORSE)
    return Facts(
        models=("the model",),
        direction=_direction(arm, average.attributes),
        attributes=average.attributes,
        left_out=average.left_out,
        errors=(_pair(average.rates, 0),),
        at_threshold=_pair(average.rates, 1) if len(average.rates["minority"]) > 1 else None,
        left=_pair(average.differences, 0) if average.differences["minority"] else None,
        worse_for_the_rarer=(int(family["findings"]), int(family["size"])) if family and family["size"] else None,
        above=_above([one for one in of_each if not one.of_set], tolerated),
        maps=maps,
        example=_example(arm, average.attributes),
        optimistic=arm.audit.manifest.data.split in (None, "validation"),
    )


def _facts_of_contrast(
    contrast: Contrast,
    attributes: Sequence[str],
    maps: tuple[MapTest, ...],
    of_each: Sequence[AttributeFacts],
    tolerated: float,
) -> Facts:
    first, models = contrast.first, (contrast.first.phrase, contrast.second.phrase)
    if not attributes:
        return Facts(models, "tied", (), (), (), maps=maps)
    average = _of_contrast(contrast)
    errors = next((one["tests"] for one in contrast.document.get("families") or () if one["name"] == ERRORS), ())
    known = not (contrast.document.get("moved") or {}).get("reason")
    return Facts(
        models=models,
        direction=_direction(first, average.attributes),
        attributes=average.attributes,
        left_out=average.left_out,
        errors=(_pair(average.rates, 0), _pair(average.rates, 2)),
        at_threshold=_pair(average.rates, 1) if known else None,
        change=_pair(average.differences, 0),
        left=_pair(average.differences, 1) if known else None,
        above=_above(of_each, tolerated),
        maps=maps,
        example=_example(first, average.attributes),
        differing=len({test["attribute"] for test in errors if test["finding"]}),
        detectable=undecided(errors, "points"),
        optimistic=bool((contrast.document.get("moved") or {}).get("fitted_on_audited")),
    )


def _of_contrast(contrast: Contrast) -> AverageErrors:
    """Read the mean errors of a contrast; of an earlier version, which has none, make them of the records."""
    if stored := contrast.document.get("overall"):
        return AverageErrors.from_json(stored)
    moved = contrast.document["moved"]["thresholds"] or None
    return overall_errors(pair_records(contrast.first.audit, contrast.second.audit, moved))


def _errors(arm: Arm, attribute: str) -> Pair:
    return Pair(arm.rate(attribute, "minority_error"), arm.rate(attribute, "majority_error"))


def _pair(by_class: Mapping[str, Sequence[Estimate]], place: int) -> Pair:
    return Pair(by_class["minority"][place], by_class["majority"][place])


def _direction(arm: Arm, attributes: Sequence[str]) -> Direction:
    if all(arm.tied(name) for name in attributes):
        return "tied"
    signs = {arm.minority(name) for name in attributes}
    return "mixed" if len(signs) > 1 else "positive" if signs == {1} else "negative"


def _example(arm: Arm, attributes: Sequence[str]) -> str:
    """Write the rarer class of the attribute where it is rarest."""
    rare = [name for name in attributes if not arm.tied(name)]
    if not rare:
        return ""
    name = min(rare, key=lambda one: minority_share(arm, one))
    return f"{'with' if arm.minority(name) > 0 else 'without'} {name}"


def _elsewhere(arm: Arm, name: str, found: Mapping[str, Any]) -> str:
    """Say why the evidence is elsewhere than expected: off its object, or in the region less than by chance."""
    if name in found:
        where = f", mostly at the {found[name].place} of the image" if found[name].place else ""
        return f"it is told apart, but the evidence is not on the object{where}"
    return avoids_region(arm.measure(name, "gain", "outcome:TP"))


def _listed(every: Sequence[_Row]) -> list[_Row]:
    """All of them, but of a set of more than ``MOST_ROWS`` outputs the first that are not settled."""
    size, shown = Counter(one.of_set for one in every), Counter[str]()
    result = []
    for one in every:
        large = bool(one.of_set) and size[one.of_set] > MOST_ROWS
        if large and (one.settled or shown[one.of_set] == MOST_ROWS):
            continue
        shown[one.of_set] += 1
        result.append(one)
    return result
