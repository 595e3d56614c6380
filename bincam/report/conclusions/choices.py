"""Which of two models to take, per attribute, and what to do about each: rules in a fixed order, sorted by harm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bincam.report.conclusions.actions import TOLERATED, Action, action, change_of
from bincam.report.conclusions.facts import AttributeFacts, Pair, above_zero, below_zero

Take = Literal["neither", "few", "second", "first", "either"]

ORDER: tuple[Take, ...] = get_args(Take)

_STEPS: Mapping[str, int] = {"fine": 0, "elsewhere": 0, "maps": 0, "threshold": 1, "few": 2, "retrain": 3}
"""How far a model is from errors that are tolerated, by its action."""

_NONE, _MOVED, _UNKNOWN, _TRAINED = 0, 1, 2, 3


@dataclass(frozen=True)
class Choice:
    """What to do about an attribute where there are two models.

    Attributes:
        attribute: The attribute.
        take: The model to take: ``first``, ``second``, ``either``, ``neither``, or ``few`` where that cannot be told.
        title: The same in words.
        why: How the two differ, with what the choice costs; empty where no difference is shown.
        harm: The error that is certain with the better choice: the lower end of its interval. Rows are sorted by it.
        actions: What to do about each model, with its errors.
    """

    attribute: str
    take: Take
    title: str
    why: str
    harm: float
    actions: tuple[Action, Action]

    @property
    def of_set(self) -> str:
        """The set that it is an output of; empty for an attribute."""
        return self.actions[0].of_set

    @property
    def settled(self) -> bool:
        """True where nothing has to be done, whichever model is taken."""
        return self.take == "either" and all(one.kind == "fine" for one in self.actions)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return {
            "attribute": self.attribute,
            "of_set": self.of_set,
            "take": self.take,
            "title": self.title,
            "why": self.why,
            "harm": self.harm if math.isfinite(self.harm) else None,
            "models": [one.to_json() for one in self.actions],
        }


def choices(
    first: Sequence[AttributeFacts],
    second: Sequence[AttributeFacts],
    changes: Mapping[str, Pair],
    models: Sequence[str],
    tolerated: float = TOLERATED,
) -> list[Choice]:
    """Choose a model for every attribute, and sort the choices: those that leave most harm first.

    Args:
        first: Of every attribute, of the first model.
        second: The same of the second model.
        changes: Errors of the first minus those of the second, of the same images, by attribute; where none is stated,
            no difference is claimed.
        models: Names of the two.
        tolerated: The error of a class that is tolerated.
    """
    chosen = [
        choice(one, other, changes.get(one.name), models, tolerated) for one, other in zip(first, second, strict=True)
    ]
    return sorted(chosen, key=lambda one: (one.settled, -(one.harm if math.isfinite(one.harm) else -1)))


def counts(chosen: Sequence[Choice]) -> list[tuple[str, int]]:
    """Count the choices by their titles, what is left open first."""
    titles = dict.fromkeys(one.title for one in sorted(chosen, key=lambda one: ORDER.index(one.take)))
    return [(title, sum(one.title == title for one in chosen)) for title in titles]


def choice(
    first: AttributeFacts,
    second: AttributeFacts,
    change: Pair | None,
    models: Sequence[str],
    tolerated: float = TOLERATED,
) -> Choice:
    """Choose a model for one attribute; the first rule that applies decides.

    A model whose errors are tolerated comes before one whose threshold must be moved, that before one of too few
    images to say, and that before one to be trained anew. Of equals, the one that is better in a class and worse in
    none is taken.
    """
    own = action(first, tolerated), action(second, tolerated)
    steps = [_STEPS[one.kind] for one in own]
    better = _better(change)
    if min(steps) == _TRAINED:
        take: Take = "neither"
    elif min(steps) == _UNKNOWN:
        # What nobody knows of one model is no reason to take it: only a difference that is shown is.
        worse = steps.index(_TRAINED) if _TRAINED in steps else None
        take = "few" if better is None or worse == better else _named(better)
    elif steps[0] != steps[1]:
        take = _named(steps.index(min(steps)))
    elif better is not None and min(steps) == _NONE:
        take = _named(better)
    else:
        take = "either"
    return Choice(
        attribute=first.name,
        take=take,
        title=_title(take, own, models),
        why=_why(first, second, change, models, take) if not _moved(take, own) else "",
        harm=_harm(take, own),
        actions=own,
    )


def _better(change: Pair | None) -> int | None:
    """The model that is better in a class and worse in none; None for neither, and where a class has too few images."""
    if change is None or not change.defined or any(one.small for one in change.parts):
        return None
    gains, costs = any(map(above_zero, change.parts)), any(map(below_zero, change.parts))
    return None if gains == costs else 1 if gains else 0


_PLACES: Mapping[Take, int] = {"first": 0, "second": 1}


def _named(place: int) -> Take:
    return "second" if place else "first"


def _title(take: Take, own: Sequence[Action], models: Sequence[str]) -> str:
    if take == "neither":
        return "neither: retrain or collect"
    if take == "few":
        return "too few images to say"
    moved = ", its threshold moved" if _moved(take, own) else ""
    return f"{'either' if take == 'either' else f'take {models[_PLACES[take]]}'}{moved}"


def _moved(take: Take, own: Sequence[Action]) -> bool:
    """Whether what is taken has another threshold than the audited one, of whose errors nothing was compared."""
    taken = own if take == "either" else [own[_PLACES[take]]] if take in _PLACES else []
    return bool(taken) and all(_STEPS[one.kind] == _MOVED for one in taken)


def _why(first: AttributeFacts, second: AttributeFacts, change: Pair | None, models: Sequence[str], take: Take) -> str:
    """Write the classes in which the two are shown to differ, of the model that is taken against the other."""
    if change is None:
        return ""
    name, now, before = (models[0], first, second) if take == "first" else (models[1], second, first)
    text = change_of(before.errors, now.errors, change, first.classes)
    return f"{name} errs in {text}" if text else ""


def _harm(take: Take, own: Sequence[Action]) -> float:
    if take in _PLACES:
        return own[_PLACES[take]].harm
    return max((one.harm for one in own if math.isfinite(one.harm)), default=math.nan)
