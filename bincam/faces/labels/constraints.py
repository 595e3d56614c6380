"""Labels that cannot be true of the same face, and the prevalences that these exclusions permit.

The rules are pairwise exclusions, grouped into cliques: at most one attribute of a clique is true. Where two of them
are sampled together, the earlier one in the clique wins. Cliques share single attributes only, so the exclusion graph
is chordal, and a set of prevalences is feasible exactly if those of every clique add up to at most 1.

An exclusion is a fact of the drawing (a hat hides the hairline) or of CelebA's labels: pairs that occur together less
than a twentieth as often as expected by chance are treated as labelling errors. Hence No_Beard excludes Goatee and
Sideburns, but not Mustache and 5_o_Clock_Shadow, which do occur with it in CelebA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec

Labels = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clique:
    """Attributes of which at most one is true.

    Attributes:
        names: In order of precedence: the first wins a contradiction.
        why: The reason, worded as the end of a sentence.
    """

    names: tuple[str, ...]
    why: str

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of the attributes."""
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
    """All columns, with every winner before the columns it excludes, after sex and age, on which much depends."""
    excluding = ["Male", "Young", *(name for clique in CLIQUES for name in clique.names)]  # winners are listed first
    ordered = list(dict.fromkeys(excluding))
    return tuple(ATTRIBUTES.index(name) for name in (*ordered, *(a for a in ATTRIBUTES if a not in ordered)))


ORDER = _order()

_NO_BEARD = ATTRIBUTES.index("No_Beard")
_SOME_BEARD = [ATTRIBUTES.index("Goatee"), ATTRIBUTES.index("Sideburns")]


def winners(column: int) -> list[int]:
    """Columns that, where true, make this one false."""
    result: list[int] = []
    for clique in CLIQUES:
        columns = clique.columns
        if column in columns:
            result += columns[: columns.index(column)]
    return result


def exclusive() -> Labels:
    """Return (40, 40), True for the pairs of attributes that cannot both be true."""
    result = np.zeros((len(ATTRIBUTES), len(ATTRIBUTES)), dtype=bool)
    for clique in CLIQUES:
        for a, b in combinations(clique.columns, 2):
            result[a, b] = result[b, a] = True
    return result


def repair(labels: Labels) -> Labels:
    """Resolve contradictions in favour of the earlier attribute of each clique.

    Args:
        labels: (N, 40), as sampled.

    Returns:
        (N, 40), a copy that violates no exclusion. Positives may have become negatives, never the reverse.
    """
    result = labels.copy()
    for column in ORDER:
        for winner in winners(column):
            result[:, column] &= ~result[:, winner]
    return result


def labels_from_drawn(drawn: Labels) -> Labels:
    """Derive the labels of faces from the attributes that they are drawn with.

    The renderer reads ``No_Beard`` as "no full beard", so that goatees and sideburns can be drawn alone: a face drawn
    with one of these and with ``No_Beard`` has the label ``No_Beard`` false.

    Args:
        drawn: (..., 40).

    Returns:
        (..., 40), a copy.
    """
    labels = drawn.copy()
    labels[..., _NO_BEARD] &= ~labels[..., _SOME_BEARD].any(axis=-1)
    return labels


def visible_labels(face: FaceSpec, visible: Labels) -> Labels:
    """Return (40,), the labels of a face of which only the drawn attributes ``visible`` (40,) can be seen."""
    return labels_from_drawn(np.array(face.labels) & visible)


def without_full_beard(labels: Labels, partial: Labels) -> Labels:
    """Return what faces are drawn with if a goatee or sideburns may be all the beard they have.

    Args:
        labels: (N, 40), true of the faces.
        partial: (N,), True for faces on which a goatee or sideburns come without a full beard.

    Returns:
        (N, 40), the inverse of :func:`labels_from_drawn`.
    """
    drawn = labels.copy()
    drawn[:, _NO_BEARD] |= labels[:, _SOME_BEARD].any(axis=1) & partial
    return drawn


def overfull(prevalence: Floats, *, room: float = 1.0, tolerance: float = 1e-9) -> list[Clique]:
    """Cliques whose prevalences (40,) add up to more than ``room``."""
    return [clique for clique in CLIQUES if prevalence[list(clique.columns)].sum() > room + tolerance]


def nearest_possible(prevalence: Floats, fixed: Mapping[int, float] | None = None, *, room: float = 1.0) -> Floats:
    """Reduce prevalences to feasible ones, in proportion where attributes compete.

    All prevalences are raised together, each in proportion to its target. When a clique is full, its members stop and
    the others continue. So nothing is reduced without need, and attributes that compete for the same faces are reduced
    by the same factor.

    Args:
        prevalence: (40,), as requested.
        fixed: Prevalences by column that are kept. They must be feasible by themselves.
        room: Upper bound of the sum over a clique. Below 1, no attribute becomes the mere negation of another. In a
            clique that the fixed prevalences fill beyond it, the others become 0.

    Returns:
        (40,). Equal to ``prevalence`` if that is feasible.
    """
    result = prevalence.copy()
    for column, value in (fixed or {}).items():
        result[column] = value
    rising = {column for clique in CLIQUES for column in clique.columns} - set(fixed or {})
    while True:
        limits = {}  # the fraction of their targets that the rising members of each full clique can reach
        for clique in CLIQUES:
            members = [column for column in clique.columns if column in rising]
            requested = prevalence[members].sum()
            left = max(room - sum(result[column] for column in clique.columns if column not in rising), 0.0)
            if requested > left + 1e-12:
                limits[left / requested] = members
        if not limits:
            return result
        fraction = min(limits)
        for column in limits[fraction]:
            result[column] = fraction * prevalence[column]
        rising -= set(limits[fraction])
