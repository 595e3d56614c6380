"""What a contrast says in words: one paragraph per attribute, and the few differences that stand out most.

Every number is taken from the figures and stands with its interval, in square brackets, and with what it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.summary.summarize import column_of
from bincam.compare.paired_differences import COLUMNS, Difference
from bincam.stats.estimate import Estimate

Figures = Mapping[str, Any]
FIRST, MOVED, SECOND = COLUMNS

VERDICTS = {
    "no difference": "no difference between the models is shown, so there is nothing for the threshold to explain",
    "yes": "moving the unbalanced model's threshold alone explains it",
    "in part": "moving the unbalanced model's threshold alone explains it in part",
    "no": "moving the unbalanced model's threshold alone does not explain it",
    "unclear": "whether moving the threshold alone explains it cannot be told from so few images",
    "unknown": "whether moving the threshold alone explains it is not known, since none tuned on validation is given",
}

_WHAT = {
    "minority_error": "minority error",
    "majority_error": "majority error",
    "gain": "gain in the expected region",
    "empty": "share of empty maps",
    "bias_share": "bias share",
}
_GROUPS = {
    "true:minority": "images of the minority class",
    "true:majority": "images of the majority class",
    "alike:minority": "images that both models answer with the minority class",
    "alike:majority": "images that both models answer with the majority class",
}


def threshold_verdict(unmoved: Difference, moved: Difference) -> str:
    """Does moving the first model's threshold alone explain how its errors differ from the second's?

    Args:
        unmoved: First minus second.
        moved: First with its threshold moved, minus second.

    Returns:
        A key of ``VERDICTS``. ``yes`` where the moved threshold leaves less than half of the difference and an interval
        that holds 0, or turns it round; ``in part`` where it leaves less than all of it, of the same sign; ``no``
        where it leaves all of it; ``unclear`` where a half or more is left, but its interval holds 0.
    """
    before, after = unmoved.difference, moved.difference
    if before.status != "ok":
        return "unclear"
    if _holds_zero(before):
        return "no difference"
    if after.status == "undefined":
        return "unknown"
    if _holds_zero(after):
        return "yes" if abs(after.value) < abs(before.value) / 2 else "unclear"
    if (after.value > 0) != (before.value > 0):
        return "yes"
    return "in part" if abs(after.value) < abs(before.value) else "no"


def attribute_sentences(name: str, entry: Figures, methods: Sequence[str], people: bool) -> list[str]:
    """The paragraph of an attribute, sentence by sentence.

    Args:
        name: The attribute.
        entry: Its part of ``contrast.json``.
        methods: Specs; the first is the primary one.
        people: Whether identities are known.
    """
    positive = entry["minority"] == "positive"
    classes = {"minority": "with" if positive else "without", "majority": "without" if positive else "with"}
    result = []
    for part in ("minority", "majority"):
        rate = f"{part}_error"
        figures = entry["errors"][rate]
        if figures[FIRST]["status"] == "undefined" or figures[SECOND]["status"] == "undefined":
            result.append(f"No image of the {part} class ({classes[part]} {name}) has a label and an answer of both.")
            continue
        moved = figures[MOVED]
        between = "" if moved["status"] == "undefined" else f", {percent(moved)} with its threshold moved"
        result.append(
            f"Of the {part} class ({classes[part]} {name}; {_basis(figures[FIRST], people)}) the unbalanced model "
            f"misjudges {percent(figures[FIRST])}{between}; the balanced one {percent(figures[SECOND])}: "
            f"{VERDICTS[entry['threshold'][rate]]}."
        )
    result += _maps(entry, methods, people)
    return result


def _maps(entry: Figures, methods: Sequence[str], people: bool) -> list[str]:
    method = methods[0]
    group = "true:majority"
    result = []
    empty = entry["measures"].get(f"{method}.empty", {}).get(group)
    if empty and _defined(empty):
        result.append(
            f"For the majority class the unbalanced model's {method} map is empty in {percent(empty[FIRST])} of the "
            f"images ({_basis(empty[FIRST], people)}); the balanced one's in {percent(empty[SECOND])}."
        )
    gain = entry["measures"].get(f"{method}.gain", {}).get(group)
    if gain and _defined(gain):
        result.append(
            "Where its maps are not empty, the evidence lies in the expected region with a gain of "
            f"{number(gain[FIRST])} (unbalanced) and {number(gain[SECOND])} (balanced); 0 is chance, 1 is all of it."
        )
    share = entry["measures"].get(column_of("bias_share", methods), {}).get(group)
    if share and _defined(share):
        result.append(
            f"Of what supports the answer, no place in the image accounts for {percent(share[FIRST])} (unbalanced) and "
            f"{percent(share[SECOND])} (balanced)."
        )
    result += _alike(entry, methods, people)
    return result


def _alike(entry: Figures, methods: Sequence[str], people: bool) -> list[str]:
    """A map whose side a moved threshold leaves as it is stays as it is: what differs there, it cannot explain."""
    told = [
        f"{_WHAT[measure]} {number(found['difference'], signed=True)}"
        for measure in ("gain", "empty", "bias_share")
        if (found := entry["differences"].get(column_of(measure, methods), {}).get("alike:majority"))
        and found["difference"]["status"] != "undefined"
    ]
    maps = entry["differences"].get(f"{methods[0]}.empty", {})
    both, three = (maps.get(f"{kind}:majority") for kind in ("alike", "alike, moved too"))
    if not told or not both:
        return []
    sentence = (
        f"In the {_basis(both['difference'], people)} that both models answer with the majority class, unbalanced less "
        f"balanced: {_listed(told)}"
    )
    if three and three["difference"]["images"]:
        sentence += (
            f"; moving the threshold leaves the answer, and so the map, of {three['difference']['images']:,} of these "
            "as it is, so the threshold alone explains no difference of their maps"
        )
    return [f"{sentence}."]


def findings(contrast: Figures, limit: int = 5) -> list[str]:
    """The most telling differences between the two models.

    Those that are findings after Holm's correction within their family, ordered by strength in standard
    errors (its p-value turned into one), at most one per attribute and measure, and no measure twice before every
    measure that has a finding was named once.

    Args:
        contrast: The content of ``contrast.json``.
        limit: How many at most.

    Returns:
        Sentences; one that says so where there is no finding.
    """
    found = [(_strength(test), test) for held in contrast["families"] for test in held["tests"] if test["finding"]]
    tested = sum(held["size"] for held in contrast["families"])
    if not found:
        return [f"None of {tested:,} tested differences between the models stands after Holm's correction."]
    found.sort(key=lambda one: (-one[0], one[1]["attribute"], one[1]["measure"]))
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for _, test in found:
        best.setdefault((test["attribute"], test["measure"]), test)
    seen: dict[str, int] = {}
    turns = []
    for place, test in enumerate(best.values()):
        seen[test["measure"]] = seen.get(test["measure"], 0) + 1
        turns.append((seen[test["measure"]], place, test))
    turns.sort(key=lambda one: one[:2])
    people = contrast["identities"] is not None
    return [_finding(test, contrast, people) for _, _, test in turns[:limit]]


def _strength(test: Mapping[str, Any]) -> float:
    from scipy import stats

    return float(stats.norm.isf(max(test["p"], 1e-300) / 2))


def _finding(test: Mapping[str, Any], contrast: Figures, people: bool) -> str:
    name, measure = test["attribute"], test["measure"]
    entry = contrast["attributes"][name]
    if measure in ("minority_error", "majority_error"):
        held = entry["errors"][measure]
        return (
            f"{name}: {_WHAT[measure]} {percent(held[FIRST])} unbalanced, {percent(held[SECOND])} balanced "
            f"({_basis(held[FIRST], people)}); {VERDICTS[entry['threshold'][measure]]}."
        )
    found = entry["differences"][column_of(measure, contrast["methods"])][test["group"]]
    digits = _digits(found["difference"])  # both sides as finely as their difference
    first, second = (
        _plain(found[model], digits) if measure == "gain" else f"{_plain(100 * found[model], max(1, digits - 2))} %"
        for model in ("first", "second")
    )
    return (
        f"{name}: {_WHAT[measure]} {first} unbalanced, {second} balanced on "
        f"{_GROUPS[test['group']]}; difference {number(found['difference'], signed=True)} "
        f"({_basis(found['difference'], people)})."
    )


def percent(estimate: Mapping[str, Any]) -> str:
    """``71 % [66, 75]``, and whether the cell is small."""
    if estimate["value"] is None:
        return "an undefined share"
    digits = 0 if estimate["value"] >= 0.1 or estimate["value"] == 0 else 1
    return f"{100 * estimate['value']:.{digits}f} %{_ends(estimate, 100, digits)}"


def number(estimate: Mapping[str, Any], *, signed: bool = False) -> str:
    """``0.31 [0.28, 0.34]``, and whether the cell is small; two digits, or as many as the interval's width needs."""
    if estimate["value"] is None:
        return "undefined"
    digits = _digits(estimate)
    return f"{_plain(estimate['value'], digits, signed=signed)}{_ends(estimate, 1, digits, signed=signed)}"


def _digits(estimate: Mapping[str, Any]) -> int:
    """Decimals, from two to four, at which neither the figure nor half of its interval's width is rounded to 0."""
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    sizes = [abs(value)] + ([] if low is None or high is None else [(high - low) / 2])
    smallest = min((size for size in sizes if size > 0), default=1.0)
    return min(4, max(2, math.ceil(-math.log10(smallest))))


def _ends(estimate: Mapping[str, Any], factor: float, digits: int, *, signed: bool = False) -> str:
    small = " (few images)" if estimate["status"] == "small" else ""
    if estimate["low"] is None or estimate["high"] is None:
        return small
    low, high = (_plain(factor * estimate[end], digits, signed=signed) for end in ("low", "high"))
    return f" [{low}, {high}]{small}"


def _plain(value: float, digits: int, *, signed: bool = False) -> str:
    """A number; what rounds to 0 has no sign."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text if float(text) else text.lstrip("+-")


def _basis(estimate: Mapping[str, Any], people: bool) -> str:
    images = f"{estimate['images']:,} image{'s' * (estimate['images'] != 1)}"
    if not people or estimate["identities"] is None:
        return images
    return f"{images} of {estimate['identities']:,} {'person' if estimate['identities'] == 1 else 'people'}"


def _defined(figures: Figures) -> bool:
    return all(figures[column]["status"] != "undefined" for column in (FIRST, SECOND))


def _holds_zero(one: Estimate) -> bool:
    return not (one.low > 0 or one.high < 0)  # an interval that is not there excludes nothing


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
