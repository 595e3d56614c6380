"""The claims of arXiv 2403.14435, the figures that decide them, and how.

A claim compares two figures, each the mean over attributes, over seeds. It *holds* where every seed's lies apart in the
claimed direction, by a margin; it *fails* where every seed's does not; else it *depends*. Margins are ours: the source
gives none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.scenes.over_seeds import number

World = Mapping[str, Any]
"""Figures of a column: keys to ``mean``, ``low`` and ``high`` over its seeds."""
Range = tuple[float, float, float]
"""Mean, lowest and highest."""
UNMEASURED = "not measured"
GRAD, HIRES = "grad_cam@pre_activation", "hirescam@pre_activation"


@dataclass(frozen=True)
class Figure:
    """Where a figure is.

    Attributes:
        label: What it is called in the table.
        paths: Keys separated by slashes; the first that a column has is taken.
    """

    label: str
    paths: tuple[str, ...]

    def of(self, world: World) -> Range | None:
        """Look the figure up; None where the column has none."""
        return next((found for path in self.paths if (found := look_up(world, path)) is not None), None)


@dataclass(frozen=True)
class Claim:
    """A claim, and how it is judged.

    Attributes:
        text: The claim.
        published: Names of the figures of ``published.figures`` that are shown.
        larger: The figure that is claimed to be larger.
        smaller: Than this one, or than a number.
        margin: By more than this.
        beside: Further figures that are shown.
    """

    text: str
    published: Sequence[str]
    larger: Figure
    smaller: Figure | float
    margin: float = 0.0
    beside: Sequence[Figure] = ()

    @property
    def criterion(self) -> str:
        """The criterion in words.

        >>> figure = Figure("empty maps", ("empty",))
        >>> Claim("", (), figure, 0.1).criterion, Claim("", (), figure, figure, -0.05).criterion
        ('empty maps over .10', 'empty maps over empty maps less .05')
        """
        if isinstance(self.smaller, float):
            return f"{self.larger.label} over {number(self.smaller)}"
        by = f" {'plus' if self.margin > 0 else 'less'} {number(abs(self.margin))}" if self.margin else ""
        return f"{self.larger.label} over {self.smaller.label}{by}"

    def verdict(self, world: World) -> str:
        """Say if the claim holds in a column.

        >>> claim = Claim("", (), Figure("a", ("a",)), Figure("b", ("b",)))
        >>> def figure(low, high):
        ...     return {"mean": (low + high) / 2, "low": low, "high": high}
        >>> [claim.verdict({"a": figure(0.4, 0.5), "b": figure(*b)}) for b in ((0.1, 0.2), (0.6, 0.7), (0.4, 0.6))]
        ['holds', 'fails', 'depends']
        """
        larger = self.larger.of(world)
        smaller = (self.smaller,) * 3 if isinstance(self.smaller, float) else self.smaller.of(world)
        if larger is None or smaller is None:
            return UNMEASURED
        if larger[1] > smaller[2] + self.margin:
            return "holds"
        return "fails" if larger[2] <= smaller[1] + self.margin else "depends"

    def shown(self, world: World) -> str:
        """Show the figures of a column."""
        compared = () if isinstance(self.smaller, float) else (self.smaller,)
        figures = ((one.label, one.of(world)) for one in (self.larger, *compared, *self.beside))
        return "; ".join(f"{label} {ranged(found)}" for label, found in figures if found is not None)


def look_up(world: World, path: str) -> Range | None:
    """Look up a figure by its keys; None where the column has no such figure, or an undefined one."""
    found: Any = world
    for key in path.split("/"):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return None if found["mean"] is None else (found["mean"], found["low"], found["high"])


def ranged(found: Range) -> str:
    """Write mean and range.

    >>> ranged((0.5, 0.4, 0.6)), ranged((0.5, 0.5, 0.5))
    ('.50 [.40, .60]', '.50')
    """
    mean, low, high = found
    spread = "" if low == high else f" [{number(low)}, {number(high)}]"
    return number(mean) + spread


def error(side: str, arm: str, label: str) -> Figure:
    """Return the error of a class."""
    return Figure(label, (f"errors/{side}_error/{arm}",))


def of_maps(column: str, side: str, arm: str, label: str, *others: str) -> Figure:
    """Return a measure of the maps where a class is predicted, or else of that class.

    Args:
        column: Method and measure.
        side: ``majority`` or ``minority``.
        arm: Of the pair.
        label: In the table.
        others: Columns that have the same values where there is no ``column``.
    """
    paths = [f"predicted/{column}/{side}/{arm}"]
    paths += [f"measures/{name}/true:{side}/{arm}" for name in (column, *others)]
    return Figure(label, tuple(paths))


UNBALANCED, BALANCED = "unbalanced", "balanced"
ENERGY, POOLED = f"{GRAD}.published_energy", "grad_cam.published_energy"
HIRES_ENERGY = f"{HIRES}.published_energy"
CLAIMS = (
    Claim(
        "Without balancing, the majority is classified much better than the minority",
        ("minority error, unbalanced", "majority error, unbalanced"),
        error("minority", UNBALANCED, "minority error"),
        error("majority", UNBALANCED, "majority error"),
        0.1,
    ),
    Claim(
        "With balancing, both are classified similarly well",
        ("minority error, balanced", "majority error, balanced"),
        error("majority", BALANCED, "majority error"),
        error("minority", BALANCED, "minority error"),
        -0.05,
    ),
    Claim(
        "(Not a claim of the source) an adjusted threshold does the same",
        (),
        error("majority", "unbalanced, threshold moved", "majority error"),
        error("minority", "unbalanced, threshold moved", "minority error"),
        -0.05,
    ),
    Claim(
        "The unbalanced model's maps of the minority are where one expects them",
        ("Grad-CAM, minority, unbalanced",),
        of_maps(f"{GRAD}.gain", "minority", UNBALANCED, "energy less the region's share"),
        0.0,
        beside=(of_maps(ENERGY, "minority", UNBALANCED, "energy"),),
    ),
    Claim(
        "Its maps of the majority have far less energy there",
        ("Grad-CAM, minority, unbalanced", "Grad-CAM, majority, unbalanced"),
        of_maps(ENERGY, "minority", UNBALANCED, "minority"),
        of_maps(ENERGY, "majority", UNBALANCED, "majority"),
        0.1,
    ),
    Claim(
        "They are empty: no positive evidence before the last activation",
        ("attributes with a majority energy under .05, Grad-CAM, unbalanced",),
        of_maps(f"{GRAD}.empty", "majority", UNBALANCED, "share of empty maps"),
        0.1,
        beside=(of_maps(f"{GRAD}.empty", "majority", BALANCED, "balanced"),),
    ),
    Claim(
        "The rarer the minority, the less energy the majority's maps have",
        ("ρ of imbalance and energy, Grad-CAM, unbalanced",),
        Figure("-ρ", (f"opposite/{ENERGY}/{UNBALANCED}",)),
        0.3,
        beside=(Figure("-ρ, balanced", (f"opposite/{ENERGY}/{BALANCED}",)),),
    ),
    Claim(
        "Balancing restores the majority's energy",
        ("Grad-CAM, majority, balanced", "Grad-CAM, majority, unbalanced"),
        of_maps(ENERGY, "majority", BALANCED, "balanced"),
        of_maps(ENERGY, "majority", UNBALANCED, "unbalanced"),
        0.05,
    ),
    Claim(
        "The unbalanced model decides for the majority by its bias",
        (),
        Figure("bias share, reference zero", ("measures/zero.bias_share/true:majority/unbalanced",)),
        0.5,
        beside=(Figure("balanced", ("measures/zero.bias_share/true:majority/balanced",)),),
    ),
    Claim(
        "By a prior, wherever in the network it is",
        (),
        Figure("bias share, midpoint, unbalanced", ("measures/midpoint.bias_share/true:majority/unbalanced",)),
        Figure("balanced", ("measures/midpoint.bias_share/true:majority/balanced",)),
        0.05,
    ),
    Claim(
        "HiResCAM finds more of the majority's energy than Grad-CAM",
        ("HiResCAM, majority, unbalanced", "Grad-CAM, majority, unbalanced"),
        of_maps(HIRES_ENERGY, "majority", UNBALANCED, "HiResCAM", POOLED),
        of_maps(ENERGY, "majority", UNBALANCED, "Grad-CAM"),
        0.05,
        beside=(of_maps(f"{HIRES}.empty", "majority", UNBALANCED, "empty maps of HiResCAM", "grad_cam.empty"),),
    ),
    Claim(
        "Balancing restores HiResCAM's energy of the majority, too",
        ("HiResCAM, majority, balanced", "HiResCAM, majority, unbalanced"),
        of_maps(HIRES_ENERGY, "majority", BALANCED, "balanced", POOLED),
        of_maps(HIRES_ENERGY, "majority", UNBALANCED, "unbalanced", POOLED),
        0.05,
    ),
)
