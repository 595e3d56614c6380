"""What to do, per attribute: one action each, chosen by rules in a fixed order, sorted by harm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from bincam.report.conclusions.facts import AttributeFacts, Pair, above_zero, below_zero, certainly_above
from bincam.report.conclusions.frequencies import frequency, instead
from bincam.report.conclusions.people_needed import more_for_half, needed_to_decide, units
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES, Estimate
from bincam.stats.formatting import counted, listed, number, written

Kind = Literal["threshold", "retrain", "few", "elsewhere", "maps", "fine"]

KINDS: tuple[Kind, ...] = get_args(Kind)

TITLES: Mapping[Kind, str] = {
    "threshold": "move the threshold",
    "retrain": "retrain or collect",
    "few": "too few images to say",
    "elsewhere": "looks elsewhere than expected",
    "maps": "do not rely on its maps",
    "fine": "fine",
}

TOLERATED = 0.2
"""The error of a class that is tolerated by default: one in five."""

ABSURD = 1e6
"""More people than this are no advice."""


@dataclass(frozen=True)
class Action:
    """What to do about an attribute, or an output of a set.

    Attributes:
        attribute: The attribute.
        kind: The action, of ``TITLES``.
        harm: The error of its worse class that is certain: the lower end of the interval. Rows are sorted by it.
        errors: The errors that it was chosen by, in words.
        advice: What to do, and what that gains.
        threshold: Where to move the threshold to, in logit units; None for other actions.
        people: How many more people would make the interval half as wide (``retrain``), or decide (``few``); None where
            that is not known. Of images where no people are known.
        notes: Further reservations: what else is true of it.
        of_set: The set that it is an output of; empty for an attribute.
    """

    attribute: str
    kind: Kind
    harm: float
    errors: str
    advice: str
    threshold: float | None = None
    people: int | None = None
    notes: tuple[str, ...] = ()
    of_set: str = ""

    @property
    def title(self) -> str:
        """The action in words."""
        return TITLES[self.kind]

    @property
    def settled(self) -> bool:
        """True where nothing has to be done."""
        return self.kind == "fine"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return {**asdict(self), "harm": self.harm if math.isfinite(self.harm) else None, "title": self.title}


def actions(facts: Sequence[AttributeFacts], tolerated: float = TOLERATED) -> list[Action]:
    """Choose an action for every attribute, and sort them: those that need one first, by harm.

    Args:
        facts: Of every attribute.
        tolerated: The error of a class that is tolerated.
    """
    chosen = [action(one, tolerated) for one in facts]
    return sorted(chosen, key=lambda one: (one.settled, -(one.harm if math.isfinite(one.harm) else -1)))


def counts(chosen: Sequence[Action]) -> list[tuple[str, int]]:
    """Count the actions, in the order of ``KINDS``, without those of no attribute."""
    found = [(TITLES[kind], sum(one.kind == kind for one in chosen)) for kind in KINDS]
    return [(title, count) for title, count in found if count]


def action(facts: AttributeFacts, tolerated: float = TOLERATED) -> Action:
    """Choose the action on one attribute; the first rule that applies decides."""
    kind, advice, people = (
        _few(facts, tolerated)
        or _threshold(facts, tolerated)
        or _untuned(facts, tolerated)
        or _retrain(facts, tolerated)
        or _maps(facts)
        or ("fine", f"both classes err in at most {frequency(tolerated)} cases, with their whole intervals", None)
    )
    return Action(
        attribute=facts.name,
        kind=kind,
        harm=max((rate.low for rate in facts.errors.parts if math.isfinite(rate.low)), default=math.nan),
        errors="; ".join(
            f"{written(rate, 'percent')} {of}" for rate, of in zip(facts.errors.parts, facts.classes, strict=True)
        ),
        advice=advice,
        threshold=facts.threshold if kind == "threshold" and advice.startswith("to ") else None,
        people=people,
        notes=_notes(facts, kind),
        of_set=facts.of_set,
    )


Chosen = tuple[Kind, str, int | None]


def _few(facts: AttributeFacts, tolerated: float) -> Chosen | None:
    """No class is certain to be above the tolerated error; one has few images, or an interval that contains it."""
    if _above(facts.errors, tolerated):
        return None
    small = [
        f"{counted(rate.images, 'image')}{_people(rate)} {of}"
        for rate, of in zip(facts.errors.parts, facts.classes, strict=True)
        if rate.small or not rate.defined or math.isnan(rate.low + rate.high)
    ]
    if small:
        need = f"at least {MIN_IMAGES}"
        if any(rate.identities is not None for rate in facts.errors.parts):
            need += f" of {MIN_IDENTITIES} people"
        return "few", f"only {listed(small)}; {need} are needed", None
    open_ = [(rate, of) for rate, of in zip(facts.errors.parts, facts.classes, strict=True) if rate.high > tolerated]
    if not open_:
        return None
    texts, most = [], 0
    for rate, of in open_:
        needed = needed_to_decide(rate, tolerated)
        if needed is None or needed > ABSURD:
            texts.append(f"{of}, where the error is too close to it for any number of images")
            continue
        most = max(most, needed - units(rate))
        texts.append(f"{of}; about {_round(needed)} {_units(rate)} {of} would tell, there are {units(rate):,}")
    tell = f"whether more than {frequency(tolerated)} are misclassified cannot be told of images {' and '.join(texts)}"
    return "few", tell, most or None


def _threshold(facts: AttributeFacts, tolerated: float) -> Chosen | None:
    """A class is certain to be above the tolerated error, gains by the adjusted threshold, and then none is.

    The gain is judged on the reference split where that is known of enough people, else on the audited images.
    """
    worse = _above(facts.errors, tolerated)
    if not worse or facts.at_threshold is None or facts.gained is None or not math.isfinite(facts.threshold):
        return None
    reference = facts.on_reference
    if reference is not None and not all(_enough(reference.gained.parts[place]) for place in worse):
        reference = None
    gained = facts.gained if reference is None else reference.gained
    if not all(above_zero(gained.parts[place]) for place in worse) or _above(facts.at_threshold, tolerated):
        return None
    to = f"to {number(facts.threshold)} (logit)"
    here = change_of(facts.errors, facts.at_threshold, facts.gained, facts.classes)
    if reference is None:
        return "threshold", f"{to}, tuned on validation. On the audited images {here}", None
    if _above(reference.chosen, tolerated):
        return None
    before = [now.value + gain.value for now, gain in zip(reference.chosen.parts, reference.gained.parts, strict=True)]
    there = _changed(reference.chosen, before, reference.gained, facts.classes)
    return (
        "threshold",
        f"{to}. It gains on the {reference.split} split, judged on people whom it was not chosen on: {there}. On the "
        f"audited images {here or 'no difference is shown'}",
        None,
    )


def _untuned(facts: AttributeFacts, tolerated: float) -> Chosen | None:
    """A class is certain to be above the tolerated error, and some threshold of these images keeps both below."""
    if not _above(facts.errors, tolerated) or not facts.least_error <= tolerated:
        return None
    known = "none that was tuned on validation is stated" if math.isnan(facts.threshold) else "the one stated does not"
    return (
        "threshold",
        f"tune it on validation ({known}): on these images some threshold misclassifies only "
        f"{frequency(facts.least_error)} of either class, which is fitted here, so optimistic",
        None,
    )


def _retrain(facts: AttributeFacts, tolerated: float) -> Chosen | None:
    """A class is certain to be above the tolerated error, and nothing known helps."""
    worse = _above(facts.errors, tolerated)
    if not worse:
        return None
    place = max(worse, key=lambda one: facts.errors.parts[one].low)
    rate, of = facts.errors.parts[place], facts.classes[place]
    more = more_for_half(rate)
    advice = f"images {of}: {frequency(rate.value)} are misclassified"
    if facts.taken_for and place == 0:
        advice += f", {facts.taken_for}"
    if more:
        advice += f"; about {_round(more)} more {_units(rate)} {of} would make the interval half as wide"
    return "retrain", advice, more


def _maps(facts: AttributeFacts) -> Chosen | None:
    if facts.elsewhere:
        return "elsewhere", facts.elsewhere, None
    if facts.shows_the_image:
        return "maps", "its maps show the image, not the attribute", None
    return None


def _notes(facts: AttributeFacts, kind: Kind) -> tuple[str, ...]:
    notes = []
    if facts.elsewhere and kind != "elsewhere":
        notes.append("looks elsewhere than expected")
    if facts.shows_the_image and kind != "maps":
        notes.append("its maps show the image, not the attribute")
    return tuple(notes)


def _above(errors: Pair, tolerated: float) -> list[int]:
    """The classes whose error is certain to be above what is tolerated."""
    return [place for place, rate in enumerate(errors.parts) if certainly_above(rate, tolerated)]


def _enough(difference: Estimate) -> bool:
    return difference.defined and not difference.small and math.isfinite(difference.low + difference.high)


def change_of(before: Pair, after: Pair, difference: Pair, classes: Sequence[str]) -> str:
    """Write the errors of the classes that are shown to change, after and before; empty where none is.

    Args:
        before: The errors.
        after: The errors that replace them.
        difference: Before minus after.
        classes: The classes in words.
    """
    return _changed(after, [one.value for one in before.parts], difference, classes)


def _changed(after: Pair, before: Sequence[float], difference: Pair, classes: Sequence[str]) -> str:
    return " and ".join(
        f"{instead(now.value, then)} {of}"
        for now, then, change, of in zip(after.parts, before, difference.parts, classes, strict=True)
        if above_zero(change) or below_zero(change)
    )


def _people(rate: Estimate) -> str:
    return "" if rate.identities is None else f" of {counted(rate.identities, 'person', 'people')}"


def _units(rate: Estimate) -> str:
    return "images" if rate.identities is None else "people"


def _round(count: int) -> str:
    """Write a number of people, which is a projection, with two digits.

    >>> _round(7), _round(1234)
    ('7', '1,300')
    """
    step = 10 ** max(len(str(count)) - 2, 0)
    return f"{math.ceil(count / step) * step:,}"
