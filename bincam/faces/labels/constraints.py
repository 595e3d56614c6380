"""Which labels cannot be true of one face together, and which prevalences that leaves possible.

The rules are pairwise exclusions, gathered into cliques: of the attributes in one clique at most one holds. Where two
of them are drawn together, the earlier one in its clique wins. The cliques meet in single attributes only, so the graph
of exclusions is chordal, and prevalences can hold together exactly if those of every clique add up to at most 1.

An exclusion is a fact of the drawing (a hat hides the hairline) or of CelebA's labels: pairs found together less than a
twentieth as often as chance would have them are taken for labelling errors. So No_Beard excludes Goatee and Sideburns,
and allows Mustache and 5_o_Clock_Shadow, which CelebA has together with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bincam.faces.labels.spec import ATTRIBUTES

Labels = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clique:
    """Attributes of which at most one holds, the one that wins a contradiction first; and why, as a sentence's end."""

    names: tuple[str, ...]
    why: str

    @property
    def columns(self) -> tuple[int, ...]:
        """The attributes' columns."""
        return tuple(ATTRIBUTES.index(name) for name in self.names)


CLIQUES: tuple[Clique, ...] = (
    Clique(
        ("Wearing_Hat", "Bald", "Receding_Hairline", "Bangs"),
        "a hat covers the hairline, a bald head has none, and a receding one leaves nothing for bangs",
    ),
    Clique(
        ("Bald", "Gray_Hair", "Blond_Hair", "Brown_Hair", "Black_Hair"),
        "hair has one colour, and a bald head none",
    ),
    Clique(("Bald", "Straight_Hair", "Wavy_Hair"), "hair is straight or wavy, and a bald head has none"),
    Clique(("No_Beard", "Goatee"), "a goatee is a beard"),
    Clique(("No_Beard", "Sideburns"), "sideburns are a beard in CelebA's labels"),
)


def _order() -> tuple[int, ...]:
    """Columns such that every winner comes before those it excludes, after sex and age, on which much depends."""
    excluding = ["Male", "Young", *(name for clique in CLIQUES for name in clique.names)]  # winners are listed first
    ordered = list(dict.fromkeys(excluding))
    return tuple(ATTRIBUTES.index(name) for name in (*ordered, *(a for a in ATTRIBUTES if a not in ordered)))


ORDER = _order()


_NO_BEARD = ATTRIBUTES.index("No_Beard")
_SOME_BEARD = [ATTRIBUTES.index("Goatee"), ATTRIBUTES.index("Sideburns")]


def winners(column: int) -> list[int]:
    """The columns that, where true, make this one false."""
    found: list[int] = []
    for clique in CLIQUES:
        columns = clique.columns
        if column in columns:
            found += columns[: columns.index(column)]
    return found


def exclusive() -> Labels:
    """(40, 40): which pairs of attributes cannot hold together."""
    result = np.zeros((len(ATTRIBUTES), len(ATTRIBUTES)), dtype=bool)
    for clique in CLIQUES:
        for a, b in combinations(clique.columns, 2):
            result[a, b] = result[b, a] = True
    return result


def repair(labels: Labels) -> Labels:
    """Give way where labels exclude each other.

    Args:
        labels: (N, 40), as drawn.

    Returns:
        (N, 40), a copy in which no exclusion is violated; only positives have become negatives.
    """
    result = labels.copy()
    for column in ORDER:
        for winner in winners(column):
            result[:, column] &= ~result[:, winner]
    return result


def told(drawn: Labels) -> Labels:
    """What is true of faces, from what they are drawn with.

    Drawing takes ``No_Beard`` for "no full beard", so that there are goatees and sideburns alone: a face drawn with
    one of these and with ``No_Beard`` has the label ``No_Beard`` false.

    Args:
        drawn: (..., 40).

    Returns:
        (..., 40), a copy.
    """
    labels = drawn.copy()
    labels[..., _NO_BEARD] &= ~labels[..., _SOME_BEARD].any(axis=-1)
    return labels


def without_full_beard(labels: Labels, partial: Labels) -> Labels:
    """What faces (N,) are drawn with whose goatee or sideburns, where ``partial`` (N,), are all the beard they have."""
    drawn = labels.copy()
    drawn[:, _NO_BEARD] |= labels[:, _SOME_BEARD].any(axis=1) & partial
    return drawn


def crowded(prevalence: Floats, *, room: float = 1.0, tolerance: float = 1e-9) -> list[Clique]:
    """The cliques whose prevalences (40,) add up to more than ``room``."""
    return [clique for clique in CLIQUES if prevalence[list(clique.columns)].sum() > room + tolerance]


def nearest_possible(prevalence: Floats, fixed: Mapping[int, float] | None = None, *, room: float = 1.0) -> Floats:
    """The prevalences that come closest to those wanted, by sharing what there is in proportion.

    All rise together, each towards its own wish; where a clique is full, its members stop and the others go on. So
    nothing gives way without need, and attributes competing for the same faces give way by the same factor.

    Args:
        prevalence: (40,), as wanted.
        fixed: Prevalences by column that must be kept. They must be possible by themselves.
        room: What the prevalences of a clique may add up to. Below 1, no attribute becomes the mere negation of
            another. In a clique that the fixed ones fill beyond it, the others get nothing.

    Returns:
        (40,). Equal to ``prevalence`` where that is possible already.
    """
    result = prevalence.copy()
    for column, value in (fixed or {}).items():
        result[column] = value
    rising = {column for clique in CLIQUES for column in clique.columns} - set(fixed or {})
    while True:
        reached = {}  # how far the members of each clique can rise, as a share of their wish
        for clique in CLIQUES:
            open_ = [column for column in clique.columns if column in rising]
            wish = prevalence[open_].sum()
            left = max(room - sum(result[column] for column in clique.columns if column not in rising), 0.0)
            if wish > left + 1e-12:
                reached[left / wish] = open_
        if not reached:
            return result
        share = min(reached)
        for column in reached[share]:
            result[column] = share * prevalence[column]
        rising -= set(reached[share])
