"""The verdict on a set of outputs in plain words: rules that each make a statement of figures, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bincam.report.conclusions.facts import Pair, above_zero, apart, below_zero
from bincam.report.conclusions.frequencies import frequency, instead
from bincam.report.conclusions.sets.facts import SetFacts
from bincam.report.conclusions.statements import Statement, capital, named
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, images, listed, written

Rule = Callable[[SetFacts], Statement | None]


@dataclass(frozen=True)
class _Move:
    """A rate of both models, what the second does at it, and if it is shown to be better or worse there."""

    what: str
    rates: tuple[Estimate, ...]
    gain: bool
    cost: bool


def set_verdict(facts: SetFacts) -> tuple[Statement, ...]:
    """Apply the rules of one or of two models to a set; the statements are in the order in which the page has them."""
    made = (rule(facts) for rule in (OF_A_CONTRAST if len(facts.models) > 1 else OF_AN_AUDIT))
    return tuple(statement for statement in made if statement is not None)


def answers(facts: SetFacts) -> Statement | None:
    """State how often the true output is named, how often rarer ones are missed, and if they are served worse."""
    if not _reliable(facts):
        return None
    right, errors = facts.accuracy[0], facts.errors[0]
    text = f"Of {facts.name}, the model names the true one of {facts.outputs:,} in {frequency(right.value)} cases"
    if not _has_minority(errors):
        return Statement("answers", f"{text}.", _accuracy(right))
    text += (
        f"; it misses the rarer ones in {frequency(errors.minority.value)} cases, and the others in "
        f"{frequency(errors.majority.value)}."
    )
    worse = apart(errors.minority, errors.majority) and errors.minority.value > errors.majority.value
    if worse:
        text += " It serves the rarer ones worse."
    return Statement("answers", text, f"{_accuracy(right)}; {_errors(errors)}", "bad" if worse else "plain")


def most_missed(facts: SetFacts) -> Statement | None:
    """Name the outputs that are certain to be missed more often than tolerated, the most certain first."""
    if not facts.missed:
        return None
    (output, rate, confused), *others = facts.missed
    text = f"{capital(output)} is missed in {frequency(rate.value)} cases{f', {confused}' if confused else ''}"
    if others:
        text += f"; more often than tolerated also {named([name for name, *_ in others])}"
    return Statement("most missed", f"{text}.", f"{output} {written(rate, 'percent')} of {images(rate)}", "bad")


def nothing_found(facts: SetFacts) -> Statement | None:
    """Say that no output is certain to be missed more often than tolerated, nor the rarer ones more than the others."""
    errors = facts.errors[0]
    worse = apart(errors.minority, errors.majority) and errors.minority.value > errors.majority.value
    if not _reliable(facts) or facts.missed or worse:
        return None
    return Statement(
        "nothing found",
        f"No harm is shown for {facts.name}: of no output is it certain that it is missed more often than tolerated. "
        "That is no proof that there is no harm.",
        tone="good",
    )


def too_few(facts: SetFacts) -> Statement | None:
    """Say that there are too few images or people of the set, or of some of its outputs."""
    if not _reliable(facts):
        what = "how often it is right" if len(facts.models) == 1 else "which of the two models is right more often"
        return Statement(
            "too few people",
            f"Of {facts.name} there are too few images or people to say {what}.",
            _accuracy(facts.accuracy[0]),
            "care",
        )
    if not facts.left_out:
        return None
    return Statement(
        "too few people",
        f"Too few images or people are labelled {named(facts.left_out)} to say how often "
        f"{'it is' if len(facts.left_out) == 1 else 'they are'} missed.",
        tone="care",
    )


def compared(facts: SetFacts) -> Statement | None:
    """State if the second model is better, worse, or each in another class of outputs; or that none is shown."""
    if not _reliable(facts) or facts.change is None or facts.accuracy_change is None:
        return None
    accuracy = facts.accuracy_change
    minority = _has_minority(facts.change)
    # An accuracy that falls is a loss, an error that falls a gain: of both the first minus the second is stated.
    moves = [
        _Move(f"names the true one of {facts.outputs:,}", facts.accuracy, below_zero(accuracy), above_zero(accuracy))
    ]
    if minority:
        for what, place in (("misses the rarer ones", 0), ("misses the others", 1)):
            change = facts.change.parts[place]
            rates = tuple(errors.parts[place] for errors in facts.errors)
            moves.append(_Move(what, rates, above_zero(change), below_zero(change)))
    gains, costs = [move for move in moves if move.gain], [move for move in moves if move.cost]
    behind = f"{facts.models[0]} less {facts.models[1]}: accuracy {written(accuracy, 'points')}"
    if minority:
        behind += f", {_errors(facts.change, 'points')}"
    start = f"Of {facts.name}, {facts.models[1]} "
    if gains and costs:
        text = f"{start}{_told(gains)}, but {_told(costs)}."
        return Statement("trade-off", text, behind)
    if gains:
        return Statement("better", f"{start}{_told(gains)}; nothing is shown to be worse.", behind, "good")
    if costs:
        return Statement("harm", f"{start}{_told(costs)}, and no gain is shown for it.", behind, "bad")
    return Statement(
        "no difference",
        f"Of {facts.name}, no difference between the two models is shown, which proves no equality.",
        behind,
    )


OF_AN_AUDIT: tuple[Rule, ...] = (answers, most_missed, nothing_found, too_few)
OF_A_CONTRAST: tuple[Rule, ...] = (compared, too_few)
"""The rules of each page, in the order of their statements."""


def _reliable(facts: SetFacts) -> bool:
    return all(rate.defined and not rate.small for rate in facts.accuracy)


def _has_minority(errors: Pair) -> bool:
    return errors.defined and not errors.minority.small and not errors.majority.small


def _told(moves: Sequence[_Move]) -> str:
    return listed([f"{move.what} in {instead(move.rates[1].value, move.rates[0].value)}" for move in moves])


def _accuracy(rate: Estimate) -> str:
    return f"accuracy {written(rate, 'percent')} of {images(rate)}"


def _errors(errors: Pair, kind: Kind = "percent") -> str:
    return f"rarer outputs {written(errors.minority, kind)}, others {written(errors.majority, kind)}"
