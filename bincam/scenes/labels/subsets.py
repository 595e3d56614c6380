"""Which shapes a scene shows: three, four or five with equal probability, at the prevalences asked for.

Of all distributions over the 582 subsets with these prevalences the one of greatest entropy is used: within each number
of shapes, a subset's probability is proportional to the product of one weight per shape (conditional Poisson sampling;
Chen, Dempster and Liu, Biometrika 81, 1994, equation 3, here with common weights for the three sizes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError, nearest
from bincam.scenes.drawing.shapes import SHAPES

COUNTS: tuple[int, ...] = (3, 4, 5)
"""Numbers of shapes in a scene, equally probable."""
MEAN = sum(COUNTS) / len(COUNTS)
_EXACT = 1e-6


@dataclass(frozen=True, eq=False)
class Subsets:
    """A distribution over subsets of the ten shapes.

    Attributes:
        members: (582, 10) bool.
        probability: (582,).
    """

    members: NDArray[np.bool_]
    probability: NDArray[np.float64]

    @property
    def prevalence(self) -> NDArray[np.float64]:
        """(10,) probability that each shape is in a scene."""
        return np.asarray(self.probability @ self.members)

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw the shapes of a scene, in a random order."""
        row = int(np.searchsorted(np.cumsum(self.probability), rng.random(), side="right"))
        chosen = np.flatnonzero(self.members[min(row, len(self.members) - 1)])
        return np.asarray(rng.permutation(chosen))


def wanted_prevalences(stated: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the prevalence of every shape; shapes that are not stated share what is left equally.

    Args:
        stated: Shape to the share of scenes that show it.

    Raises:
        InputError: An unknown shape, a share outside of 0 to 1, or prevalences that three to five of ten shapes cannot
            have; the message says why.

    >>> wanted_prevalences({"star": 0.04}).round(3).tolist()
    [0.44, 0.44, 0.44, 0.04, 0.44, 0.44, 0.44, 0.44, 0.44, 0.44]
    """
    for name, share in stated.items():
        check_shape(name, "prevalence")
        if not 0 <= share <= 1:
            raise InputError(f"prevalence of {name}: {share:g} is not between 0 and 1")
    total, others = sum(stated.values()), [name for name in SHAPES if name not in stated]
    left = MEAN - total
    why = f"a scene shows three to five shapes, {MEAN:g} on average, so the prevalences of all ten add up to {MEAN:g}"
    if not others and abs(left) > _EXACT:
        raise InputError(f"{why}; those stated add up to {total:g}")
    if left < -_EXACT:
        raise InputError(f"{why}; those stated add up to {total:g} already: lower some by {-left:g} in all")
    if others and left / len(others) > 1:
        raise InputError(
            f"{why}; those stated add up to {total:g}, which leaves more than 1 for each of the other {len(others)}: "
            "raise some"
        )
    values = np.array([stated.get(name, left / max(len(others), 1)) for name in SHAPES])
    order = np.argsort(-values, kind="stable")
    for most in range(1, len(SHAPES) + 1):
        bound = sum(min(most, count) for count in COUNTS) / len(COUNTS)
        reached = values[order[:most]].sum()
        if reached > bound + _EXACT:
            names = ", ".join(f"{SHAPES[k]} {values[k]:.3g}" for k in order[:most])
            raise InputError(
                f"the prevalences of {names} add up to {reached:.4g}, but {most} shapes reach at most {bound:.4g}: a "
                "third of the scenes shows only three shapes, another third four; lower these, or raise others"
            )
    return values


def check_shape(name: str, where: str) -> int:
    """Return the column of a shape.

    Raises:
        InputError: There is no such shape.

    >>> check_shape("square", "prevalence")
    1
    """
    if name not in SHAPES:
        raise InputError(f"{where}: unknown shape {name!r}{nearest(name, SHAPES)}")
    return SHAPES.index(name)


@lru_cache(maxsize=16)
def fit(prevalence: tuple[float, ...]) -> Subsets:
    """Fit the distribution of greatest entropy with these prevalences, by Newton's method on the logs of the weights.

    Args:
        prevalence: Of every shape, as :func:`wanted_prevalences` returns them.

    Raises:
        InputError: No distribution has them.

    >>> fit((0.4,) * 10).prevalence.round(6).tolist() == [0.4] * 10
    True
    """
    target = np.array(prevalence)
    subsets = [subset for count in COUNTS for subset in combinations(range(len(SHAPES)), count)]
    members = np.zeros((len(subsets), len(SHAPES)), bool)
    for row, subset in enumerate(subsets):
        members[row, list(subset)] = True
    sizes = members.sum(axis=1)
    logs = np.zeros(len(SHAPES))
    for _ in range(80):
        probability = np.zeros(len(subsets))
        curvature = np.zeros((len(SHAPES), len(SHAPES)))
        for count in COUNTS:
            rows = sizes == count
            score = members[rows] @ logs
            weight = np.exp(score - score.max())
            weight /= weight.sum() * len(COUNTS)
            probability[rows] = weight
            mean = weight @ members[rows]
            curvature += members[rows].T @ (weight[:, None] * members[rows]) - len(COUNTS) * np.outer(mean, mean)
        error = target - probability @ members
        if np.abs(error).max() < _EXACT:
            break
        step = np.linalg.lstsq(curvature, error, rcond=1e-12)[0]
        logs += np.clip(step, -1.5, 1.5)  # a prevalence of 0 or 1 takes its weight there in even steps
    else:
        raise InputError(
            f"no distribution of three to five shapes has the prevalences {', '.join(f'{p:.4g}' for p in target)}: "
            f"off by {np.abs(error).max():.2g}; move those at their limit a little"
        )
    return Subsets(members, probability / probability.sum())
