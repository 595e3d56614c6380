"""A contrast in sentences: a paragraph per attribute, and the strongest differences as findings.

Every number is an estimate with its interval, in square brackets, and its number of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.summary.summarize import column_of
from bincam.compare.names import Names, names_from
from bincam.compare.paired_differences import COLUMNS, Difference
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import DIFFERENCE, Kind, counted, decimals, images, listed, number, percent, written
from bincam.stats.hypotheses.families import undecided

Figures = Mapping[str, Any]
FIRST, _, SECOND = COLUMNS

ERRORS = "errors differ between the models"
"""Name of the family of tests of errors."""

VERDICTS = {
    "no difference": "no difference between the models is shown, so there is nothing for the threshold to explain",
    "yes": "adjusting the first model's threshold alone explains it",
    "in part": "adjusting the first model's threshold alone explains it in part",
    "no": "adjusting the first model's threshold alone does not explain it",
    "unclear": "whether adjusting the threshold alone explains it cannot be decided from so few images",
    "unknown": "whether adjusting the threshold alone explains it is not known: no threshold tuned on validation data "
    "is given",
}

_NAMES = {
    "minority_error": "minority error",
    "majority_error": "majority error",
    "gain": "chance-corrected energy (gain)",
    "empty": "share of maps without positive evidence",
    "bias_share": "bias share (midpoint reference)",
}
_KINDS: Mapping[str, Kind] = {"gain": "number", "empty": "percent", "bias_share": "percent"}


def threshold_verdict(unmoved: Difference, moved: Difference) -> str:
    """Decide whether adjusting the first model's threshold alone explains how its errors differ from the second's.

    Args:
        unmoved: First minus second.
        moved: First at its adjusted threshold, minus second.

    Returns:
        A key of ``VERDICTS``, see ``threshold_explains``.
    """
    return threshold_explains(unmoved.difference, moved.difference)


def threshold_explains(before: Estimate, after: Estimate) -> str:
    """Decide how much of a difference between two models an adjusted threshold of the first explains.

    Args:
        before: First minus second.
        after: First at its adjusted threshold, minus second.

    Returns:
        A key of ``VERDICTS``. ``yes`` where the adjusted threshold leaves less than half of the difference and an
        interval that contains 0, or reverses it; ``in part`` where it leaves less than all of it, of the same sign;
        ``no`` where it leaves all of it; ``unclear`` where a half or more is left, but its interval contains 0.

    >>> from bincam.stats.estimate import estimate
    >>> half, none = (estimate(p, p - 0.04, p + 0.04, 200, None, "variance recovery") for p in (0.2, 0.01))
    >>> threshold_explains(half, none), threshold_explains(half, half), threshold_explains(none, none)
    ('yes', 'no', 'no difference')
    """
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


def attribute_sentences(
    name: str,
    entry: Figures,
    methods: Sequence[str],
    names: Names,
    references: Sequence[str] = ("the midpoint reference",),
) -> list[str]:
    """Write the paragraph of an attribute, sentence by sentence.

    Args:
        name: The attribute.
        entry: Its part of ``contrast.json``.
        methods: Specs; the first is the primary one.
        names: Names of the models.
        references: The references of their bias shares; one where both are equal.
    """
    result = []
    for part in ("minority", "majority"):
        rate = f"{part}_error"
        first, moved, second = (Estimate.from_json(entry["errors"][rate][column]) for column in COLUMNS)
        if not (first.defined and second.defined):
            result.append(f"No image of {_class(entry, name, part, '')} has a label and an answer of both models.")
            continue
        between = f", {written(moved, 'percent')} at its adjusted threshold" if moved.defined else ""
        result.append(
            f"Of {_class(entry, name, part, images(first))} {names.of_first} misclassifies "
            f"{written(first, 'percent')}{between}; {names.of_second} {written(second, 'percent')}: "
            f"{VERDICTS[entry['threshold'][rate]]}."
        )
    result += _maps(name, entry, methods, names, references)
    return result


def tied(entry: Figures) -> bool:
    """Return True where both classes are equally frequent in the counted labels, so that neither is a minority."""
    negatives, positives = entry["train_counts"]
    return bool(negatives == positives)


def _class(entry: Figures, name: str, part: str, note: str) -> str:
    """Name the images of a class: ``the minority class (with Bald; 20 images)``; on a tie ``the images with Bald``."""
    which = "with" if (entry["minority"] == "positive") == (part == "minority") else "without"
    if tied(entry):
        return f"the images {which} {name}" + (f" ({note})" if note else "")
    return f"the {part} class ({which} {name}{f'; {note}' if note else ''})"


def _predicted(entry: Figures, part: str) -> str:
    """Name a predicted class: ``the minority class``; on a tie ``“yes”``."""
    positive = (entry["minority"] == "positive") == (part == "minority")
    return ("“yes”" if positive else "“no”") if tied(entry) else f"the {part} class"


def _maps(name: str, entry: Figures, methods: Sequence[str], names: Names, references: Sequence[str]) -> list[str]:
    method = methods[0]
    result = []
    first, second = _of_majority(entry, f"{method}.empty")
    if first.defined and second.defined:
        result.append(
            f"For {_class(entry, name, 'majority', '')} the {method} map of {names.of_first} has no positive evidence "
            "in "
            f"{written(first, 'percent')} of the images ({images(first)}), that of {names.of_second} in "
            f"{written(second, 'percent')} ({images(second)})."
        )
    first, second = _of_majority(entry, f"{method}.gain")
    if first.defined and second.defined:
        result.append(
            "Where its maps have positive evidence, that evidence is in the expected region with a chance-corrected "
            f"energy (gain) of {written(first)} ({names.first}; {images(first)}) and {written(second)} "
            f"({names.second}; {images(second)}); 0 is chance, 1 is all of it."
        )
    first, second = _of_majority(entry, column_of("bias_share", methods))
    if first.defined and second.defined:
        result.append(
            f"Counted from {' and '.join(references)}, of what supports the answer no place in the image accounts for "
            f"{written(first, 'percent')} ({names.first}; {images(first)}) and {written(second, 'percent')} "
            f"({names.second}; {images(second)}){_from_zero(entry, names)}."
        )
    return result + _concordant(entry, methods, names)


def _from_zero(entry: Figures, names: Names) -> str:
    """Write the bias shares without a reference: the head's own constant."""
    first, second = _of_majority(entry, "zero.bias_share")
    if not (first.defined and second.defined):
        return ""
    return (
        f"; without a reference (zero), the head's own constant accounts for {written(first, 'percent')} "
        f"({names.first}) and {written(second, 'percent')} ({names.second})"
    )


def _of_majority(entry: Figures, column: str) -> tuple[Estimate, Estimate]:
    """Read a measure of the majority class, of both models."""
    models = entry["measures"].get(column, {}).get("true:majority") or {}
    return Estimate.from_json(models.get(FIRST)), Estimate.from_json(models.get(SECOND))


def _concordant(entry: Figures, methods: Sequence[str], names: Names) -> list[str]:
    """Write the differences between maps of concordant answers, which no threshold explains: it keeps these maps."""
    differences = {name: _difference(entry, column_of(name, methods), "alike:majority") for name in _KINDS}
    parts = [
        f"{_NAMES[name]} {written(difference, DIFFERENCE[_KINDS[name]])}"
        for name, difference in differences.items()
        if difference.defined
    ]
    column = f"{methods[0]}.empty"
    if not parts or column not in entry["differences"]:
        return []
    both, three = (_difference(entry, column, f"{kind}:majority") for kind in ("alike", "alike, moved too"))
    sentence = (
        f"In the {images(both)} that both models predict as {_predicted(entry, 'majority')}, {names.first} minus "
        f"{names.second}: "
        f"{listed(parts)}"
    )
    if three.images:
        sentence += (
            f"; adjusting the threshold changes neither answer nor map of {three.images:,} of these, so the threshold "
            "alone explains no difference between their maps"
        )
    return [f"{sentence}."]


def _difference(entry: Figures, column: str, group: str) -> Estimate:
    return Estimate.from_json((entry["differences"].get(column, {}).get(group) or {}).get("difference"))


def findings(contrast: Figures, limit: int = 5) -> list[str]:
    """Select the strongest differences between the two models.

    They are significant after Holm's correction within their family, with an interval that excludes 0 (a test and an
    interval are different methods, and may disagree at the edge), and are ordered by strength: the p-value as a
    number of standard errors. There is at most one per attribute and measure, and no measure is repeated before every
    measure with a finding has been named once.

    Args:
        contrast: The content of ``contrast.json``, of which the families are those of attributes.
        limit: Greatest number of findings.

    Returns:
        Sentences; if there is no finding, a single one that states this.
    """
    significant = [test for family in contrast["families"] for test in family["tests"] if test["finding"]]
    ranked = [(_strength(test), test) for test in significant if not _holds_zero(_tested_difference(test, contrast))]
    tested = sum(family["size"] for family in contrast["families"])
    if not ranked:
        also = " with an interval that excludes 0" if significant else ""
        none = (
            f"one of {counted(tested, 'tested difference')} between the models remains after Holm's correction{also}."
        )
        none = f"Of yes-or-no attributes, n{none}" if contrast.get("sets") or contrast.get("outputs") else f"N{none}"
        errors = next((family["tests"] for family in contrast["families"] if family["name"] == ERRORS), ())
        missed = undecided(errors, "points")
        return [f"{none} Of error rates, {missed}." if missed else none]
    ranked.sort(key=lambda entry: (-entry[0], entry[1]["attribute"], entry[1]["measure"]))
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for _, test in ranked:
        best.setdefault((test["attribute"], test["measure"]), test)
    uses: dict[str, int] = {}
    turns = []
    for place, test in enumerate(best.values()):
        uses[test["measure"]] = uses.get(test["measure"], 0) + 1
        turns.append((uses[test["measure"]], place, test))
    turns.sort(key=lambda turn: turn[:2])
    names = names_from(contrast)
    return [_finding(test, contrast, names) for _, _, test in turns[:limit]]


def _strength(test: Mapping[str, Any]) -> float:
    from scipy import stats

    return float(stats.norm.isf(max(test["p"], 1e-300) / 2))


def _tested_difference(test: Mapping[str, Any], contrast: Figures) -> Estimate:
    """Read the estimate of the difference that a test is of, first minus second."""
    name, measure = test["attribute"], test["measure"]
    entry = contrast["attributes"][name]
    if measure in ("minority_error", "majority_error"):
        return Estimate.from_json(entry["error_differences"][measure][f"{FIRST} - {SECOND}"]["difference"])
    return _difference(entry, column_of(measure, contrast["methods"]), test["group"])


def _finding(test: Mapping[str, Any], contrast: Figures, names: Names) -> str:
    name, measure = test["attribute"], test["measure"]
    entry = contrast["attributes"][name]
    if measure in ("minority_error", "majority_error"):
        first, second = (Estimate.from_json(entry["errors"][measure][column]) for column in (FIRST, SECOND))
        part = measure.removesuffix("_error")
        error = f"error of {_class(entry, name, part, '')}" if tied(entry) else _NAMES[measure]
        return (
            f"{name}: {error} {written(first, 'percent')} ({names.first}), {written(second, 'percent')} "
            f"({names.second}), difference {written(_tested_difference(test, contrast), 'points')}, {images(first)}; "
            f"{VERDICTS[entry['threshold'][measure]]}."
        )
    kind = _KINDS[measure]
    means = entry["differences"][column_of(measure, contrast["methods"])][test["group"]]
    difference = Estimate.from_json(means["difference"])
    # Both means have as many decimals as their difference.
    digits = decimals(difference.value, difference.low, difference.high, DIFFERENCE[kind])
    form = percent if kind == "percent" else number
    mean, other_mean = (form(means[model], digits) for model in ("first", "second"))
    return (
        f"{name}: {_NAMES[measure]} {mean} ({names.first}), {other_mean} ({names.second}) on "
        f"{_group(entry, name, test['group'])}; difference {written(difference, DIFFERENCE[kind])} "
        f"({images(difference)})."
    )


def _group(entry: Figures, name: str, group: str) -> str:
    """Name a group of images, such as ``alike:majority``."""
    kind, _, part = group.partition(":")
    if kind == "true":
        return _class(entry, name, part, "")
    return f"images that both models predict as {_predicted(entry, part)}"


def _holds_zero(difference: Estimate) -> bool:
    return not (difference.low > 0 or difference.high < 0)  # a missing interval excludes nothing
