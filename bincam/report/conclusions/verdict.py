"""The verdict of a page in plain words: rules that each make a statement of figures, or none.

The rules are documented in ``docs/report.md``. No difference is stated unless its whole interval is on one side of 0,
and no mean that rests on too few images or people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bincam.compare.sentences import threshold_explains
from bincam.report.conclusions.facts import Facts, Pair, above_zero, apart, below_zero
from bincam.report.conclusions.frequencies import frequency, instead
from bincam.report.conclusions.sets.facts import SetFacts
from bincam.report.conclusions.sets.verdict import set_verdict
from bincam.report.conclusions.statements import Statement, capital, named
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, counted, images, written

Rule = Callable[[Facts], Statement | None]


def verdict(facts: Facts, sets: Sequence[SetFacts] = ()) -> tuple[Statement, ...]:
    """Apply the rules of an audit or of a contrast; the statements are in the order in which the page has them.

    Args:
        facts: Of the yes-or-no attributes, and of the maps.
        sets: Of the sets of outputs.
    """
    rules = OF_A_CONTRAST if len(facts.models) > 1 else OF_AN_AUDIT
    of_attributes = [rule(facts) for rule in rules] if facts.attributes or facts.left_out else []
    of_sets = [statement for one in sets for statement in set_verdict(one)]
    made = (*of_attributes, *of_sets, maps_fail(facts))
    return tuple(statement for statement in made if statement is not None)


def errors_by_class(facts: Facts) -> Statement | None:
    """State how often one model errs in both classes, and which class it serves worse where the intervals are apart."""
    if not _reliable(facts):
        return None
    (first, second), (rarer, other) = _wrong(facts), facts.errors[0].parts
    text = (
        f"{capital(facts.models[0])} {first} in {frequency(rarer.value)} cases, and {second} in "
        f"{frequency(other.value)}."
    )
    if facts.direction == "tied" or not apart(rarer, other):
        return Statement("errors by class", text, _figures(facts, facts.errors[0]))
    worse = rarer.value > other.value
    text += f" It serves the {'rarer' if worse else 'more frequent'} class worse"
    found, tested = facts.worse_for_the_rarer or (0, 0)
    if worse and tested > 1:
        text += f"; attribute by attribute, that is shown for {found} of {tested}"
    return Statement("errors by class", f"{text}.", _figures(facts, facts.errors[0]), "bad" if worse else "plain")


def threshold_moves(facts: Facts) -> Statement | None:
    """State what thresholds tuned on validation would change of one model's errors, where a class gains."""
    if not _reliable(facts) or facts.left is None or facts.at_threshold is None:
        return None
    gains, costs = ([test(part) for part in facts.left.parts] for test in (above_zero, below_zero))
    if not any(gains):
        return None
    texts = [
        f"{what} in {instead(now.value, before.value)}"
        for what, now, before in zip(_wrong(facts), facts.at_threshold.parts, facts.errors[0].parts, strict=True)
    ]
    shown = [text for text, gain, cost in zip(texts, gains, costs, strict=True) if gain or cost]
    return Statement(
        "threshold moves",
        f"With thresholds tuned on validation it {(' but ' if any(costs) else ' and ').join(shown)}, without being "
        f"trained anew.{_optimism(facts)}",
        _figures(facts, facts.left, "points", "as audited less tuned: "),
        "good",
    )


def nothing_found(facts: Facts) -> Statement | None:
    """Say that no attribute is certain to be above the tolerated error, and no class shown to be served worse."""
    rarer_worse = facts.worse_for_the_rarer is not None and facts.worse_for_the_rarer[0] > 0
    if not _reliable(facts) or facts.above or rarer_worse or apart(*facts.errors[0].parts):
        return None
    return Statement(
        "nothing found",
        "No harm is shown: of no attribute is it certain that a class is misclassified more often than tolerated, and "
        "neither class is shown to be served worse. That is no proof that there is no harm.",
        tone="good",
    )


def harm_by_balancing(facts: Facts) -> Statement | None:
    """State that the second model is worse in a class and better in none."""
    if not _reliable(facts):
        return None
    gains, costs = _changes(facts)
    if any(gains) or not any(costs):
        return None
    text = f"{capital(facts.models[1])} {_changed(facts, costs)}, and no gain is shown for it."
    return Statement("harm", text, _change_behind(facts), "bad")


def trade_off(facts: Facts) -> Statement | None:
    """State that the second model is better in one class and worse in the other."""
    if not _reliable(facts):
        return None
    gains, costs = _changes(facts)
    if not (any(gains) and any(costs)):
        return None
    text = f"{capital(facts.models[1])} {_changed(facts, gains)}, but {_changed(facts, costs)}."
    return Statement("trade-off", text, _change_behind(facts))


def better(facts: Facts) -> Statement | None:
    """State that the second model is better in a class and worse in none."""
    if not _reliable(facts):
        return None
    gains, costs = _changes(facts)
    if any(costs) or not any(gains):
        return None
    rest = "" if all(gains) else "; in the other class no difference is shown"
    return Statement(
        "better", f"{capital(facts.models[1])} {_changed(facts, gains)}{rest}.", _change_behind(facts), "good"
    )


def no_difference(facts: Facts) -> Statement | None:
    """Say that no mean difference between two models is shown, and what could have been found."""
    if not _reliable(facts) or any(map(any, _changes(facts))):
        return None
    if facts.differing:
        found = (
            f" Of single attributes, {facts.differing} differ{'s' if facts.differing == 1 else ''}: see the findings."
        )
    else:
        found = f" Of single attributes, {facts.detectable}." if facts.detectable else ""
    return Statement(
        "no difference",
        f"On average no difference between the errors of the two models is shown, which proves no equality.{found}",
        _change_behind(facts),
    )


def threshold_suffices(facts: Facts) -> Statement | None:
    """Say if moved thresholds of the first model do what the second gains, and whether at a higher cost."""
    if not _reliable(facts) or facts.change is None:
        return None
    gains, _ = _changes(facts)
    if not any(gains):
        return None
    whose = f"the thresholds of {facts.models[0]}"
    left = facts.left
    if left is None or not left.defined:
        return Statement(
            "threshold unknown",
            f"Whether moving {whose} would do the same is not known: none that was tuned on validation is stated for "
            "all of these attributes.",
            tone="care",
        )
    kinds = {
        threshold_explains(before, after)
        for before, after, gain in zip(facts.change.parts, left.parts, gains, strict=True)
        if gain
    }
    behind = _figures(facts, left, "points", f"{facts.models[0]} at moved thresholds less {facts.models[1]}: ")
    dearer = [place for place in (0, 1) if above_zero(left.parts[place]) and not gains[place]]
    if kinds == {"yes"} and not dearer:
        word = "does better" if any(map(below_zero, left.parts)) else "does the same"
        text = f"Moving {whose} {word}; retraining was not needed for this.{_optimism(facts)}"
        return Statement("threshold suffices", text, behind, "good")
    if kinds == {"yes"}:
        text = f"Moving {whose} gains as much, but {_wrong(facts)[dearer[0]]} more often than {facts.models[1]}."
        return Statement("threshold costs more", text, behind)
    if kinds == {"no"}:
        return Statement("threshold does not suffice", f"Moving {whose} does not do this.", behind)
    if "unclear" in kinds:
        text = f"Whether moving {whose} would do the same cannot be told from these images."
        return Statement("threshold unclear", text, behind, "care")
    return Statement("threshold in part", f"Moving {whose} does a part of this.", behind)


def too_few(facts: Facts) -> Statement | None:
    """Say that there are too few images or people: for every attribute, or for those that no mean includes."""
    if not _reliable(facts):
        what = "how often the model errs" if len(facts.models) == 1 else "which of the two models errs more often"
        return Statement(
            "too few people",
            f"There are too few images or people to say {what}. The table says how many are needed.",
            _figures(facts, facts.errors[0]),
            "care",
        )
    if not facts.left_out:
        return None
    it = "it" if len(facts.left_out) == 1 else "them"
    return Statement(
        "too few people",
        f"This says nothing of {named(facts.left_out)}: too few images or people with or without {it} were audited.",
        tone="care",
    )


def maps_fail(facts: Facts) -> Statement | None:
    """Say of maps that they are not to be relied on, unless every model's pass the randomisation test."""
    failed = [test for test in facts.maps if test.verdict == "fail"]
    unknown = [test for test in facts.maps if test.verdict in ("cannot tell", "untested")]
    if failed:
        of = "" if len(facts.models) == 1 or len(failed) > 1 else f" of {failed[0].model}"
        text = f"Do not rely on the maps{of}: they fail the sanity test, so they may look the same for any network."
        return Statement("maps fail", text, f"{failed[0].method}: {failed[0].reason}", "bad")
    if unknown:
        untested = "whether they depend on the network at all was not tested"
        undecided = "the sanity test could not tell whether they depend on the network at all"
        why = untested if unknown[0].verdict == "untested" else undecided
        return Statement("maps undecided", f"Do not rely on the maps yet: {why}.", unknown[0].reason, "care")
    return None


OF_AN_AUDIT: tuple[Rule, ...] = (errors_by_class, threshold_moves, nothing_found, too_few)
OF_A_CONTRAST: tuple[Rule, ...] = (
    harm_by_balancing, trade_off, better, no_difference, threshold_suffices, too_few,
)  # fmt: skip
"""The rules on attributes of each page, in the order of their statements; ``maps_fail`` is the last of every page."""


def _reliable(facts: Facts) -> bool:
    """Whether the means of errors rest on enough images and people."""
    return bool(facts.errors) and all(
        rate.defined and not rate.small for errors in facts.errors for rate in errors.parts
    )


def _changes(facts: Facts) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Where the second model is better, and where it is worse: of the minority and of the majority class."""
    change = facts.change
    if change is None:
        return (False, False), (False, False)
    gains, costs = (tuple(map(test, change.parts)) for test in (above_zero, below_zero))
    return (gains[0], gains[1]), (costs[0], costs[1])


def _wrong(facts: Facts) -> tuple[str, str]:
    """What a model does wrong, in the minority and in the majority class."""
    what = facts.attributes[0] if len(facts.attributes) == 1 else "attributes"
    rare = what if len(facts.attributes) == 1 else "rare attributes"
    return {
        "positive": (f"misses {rare}", "raises false alarms"),
        "negative": ("raises false alarms", f"misses {what}"),
        "tied": (f"misses {what}", "raises false alarms"),
        "mixed": (
            f"is wrong about the rarer class (such as images {facts.example})",
            "is wrong about the more frequent one",
        ),
    }[facts.direction]


def _changed(facts: Facts, places: Sequence[bool]) -> str:
    """Write what the second model does instead of the first, in the classes that are marked."""
    first, second = facts.errors
    texts = [
        f"{what} in {instead(now.value, before.value)}"
        for what, now, before, here in zip(_wrong(facts), second.parts, first.parts, places, strict=True)
        if here
    ]
    return " and ".join(texts)


def _figures(facts: Facts, pair: Pair, kind: Kind = "percent", start: str = "") -> str:
    """Write the figures of both classes with intervals, and what they are means of."""
    rarer, other = ("with it", "without it") if facts.direction == "tied" else ("rarer class", "more frequent class")
    of = f"mean of {counted(len(facts.attributes), 'attribute')}, " if len(facts.attributes) != 1 else ""
    most: Estimate = max(pair.parts, key=lambda one: one.images)
    basis = f"{of}{'at most ' if of else ''}{images(most)}" if most.images else of.removesuffix(", ")
    return f"{start}{rarer} {written(pair.minority, kind)}, {other} {written(pair.majority, kind)}; {basis}"


def _change_behind(facts: Facts) -> str:
    if facts.change is None:
        return ""
    return _figures(facts, facts.change, "points", f"{facts.models[0]} less {facts.models[1]}: ")


def _optimism(facts: Facts) -> str:
    return " They were tuned on these same images, so expect less." if facts.optimistic else ""
