"""The target of a set of generated faces: 40 prevalences and the φ of every pair."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError, nearest
from bincam.faces.labels import constraints
from bincam.faces.labels.spec import ATTRIBUTES, index

Floats = NDArray[np.float64]

PRESETS = ("celeba", "balanced", "independent")
# In a balanced set, one face in ten has no attribute of a clique; otherwise Goatee would be the negation of No_Beard.
BALANCED_ROOM = 0.9


@dataclass(frozen=True)
class Target:
    """The prevalences and correlations that a set of faces should have, each pair checked to be feasible.

    Attributes:
        prevalence: (40,) in the order of ``ATTRIBUTES``.
        phi: (40, 40), symmetric, each entry within the range that the two prevalences permit. Undefined for pairs that
            exclude each other.
        demanded: (40, 40), True where the caller requested this φ, so that an approximation is an error.
        request: The caller's arguments in a fixed order, ready for JSON.
        given_way: Prevalences that had to be reduced to make room for requested ones: name → (wanted, granted).
    """

    prevalence: Floats
    phi: Floats
    demanded: NDArray[np.bool_]
    request: dict[str, Any]
    given_way: dict[str, tuple[float, float]]


def target(
    prevalence: str | Path = "celeba",
    *,
    set: Mapping[str, float] | None = None,  # noqa: A002  # the command's own word
    correlate: Mapping[tuple[str, str], float] | None = None,
    correlation: str | None = None,
) -> Target:
    """Resolve a preset and its overrides to a feasible target.

    Args:
        prevalence: ``celeba``, ``balanced`` (every attribute in half of the faces, or, where attributes exclude each
            other, in equal shares of nine tenths), ``independent`` (CelebA's prevalences, all φ zero), or a CSV file
            with the columns ``attribute`` and ``prevalence``. Attributes that the file omits keep CelebA's.
        set: Prevalences to override. Prevalences that are no longer feasible are reduced in proportion.
        correlate: φ to override, by pair.
        correlation: ``celeba`` or ``none``. Default: that of the preset, and ``celeba`` for a file.

    Returns:
        The target.

    Raises:
        InputError: A value out of range, an unknown name, or requests that are not feasible together. The message
            names them and the nearest feasible values.

    >>> from bincam.faces.labels.prevalence import target
    >>> wanted = target("celeba", set={"Bald": 0.5}, correlate={("Smiling", "Male"): 0.3})
    >>> float(wanted.prevalence[index("Bald")]), float(wanted.phi[index("Male"), index("Smiling")])
    (0.5, 0.3)
    >>> {name: (round(before, 3), round(after, 3)) for name, (before, after) in wanted.given_way.items()}["Black_Hair"]
    (0.239, 0.189)
    """
    wanted, demanded = _prevalence(prevalence)
    source = str(prevalence) if not demanded else _named(demanded)
    overridden = {index(name): value for name, value in (set or {}).items()}
    for name, value in (set or {}).items():
        demanded[index(name)] = _share(name, value)
    for column, value in demanded.items():
        wanted[column] = value
    _check(demanded)
    room = BALANCED_ROOM if str(prevalence) == "balanced" else 1.0
    granted = constraints.nearest_possible(wanted, demanded, room=room)
    given_way = {
        ATTRIBUTES[i]: (float(wanted[i]), float(granted[i])) for i in np.flatnonzero(np.abs(wanted - granted) > 1e-6)
    }
    kind = correlation or ("none" if str(prevalence) == "independent" else "celeba")
    if kind not in {"celeba", "none"}:
        raise InputError(f"expected a correlation of 'celeba' or 'none', got {kind!r}")
    low, high = phi_range(granted)
    phi = np.clip(celeba_phi() if kind == "celeba" else np.zeros_like(low), low, high)
    np.fill_diagonal(phi, 1.0)
    requested = np.zeros(phi.shape, dtype=bool)
    for (first, second), value in (correlate or {}).items():
        a, b = index(first), index(second)
        if requested[a, b]:
            raise InputError(f"the correlation of {first} and {second} is given twice")
        phi[a, b] = phi[b, a] = _phi((a, b), value, granted, low[a, b], high[a, b])
        requested[a, b] = requested[b, a] = True
    request = {
        "prevalence": source,
        "set": _named(overridden),
        "correlate": {f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}": float(phi[a, b]) for a, b in np.argwhere(np.triu(requested))},
        "correlation": kind,
    }
    return Target(granted, phi, requested, request, given_way)


@lru_cache(maxsize=1)
def celeba_prevalence() -> Floats:
    """Return (40,), CelebA's prevalences over all its 202,599 images."""
    return by_attribute("celeba_prevalence.csv", "prevalence")


@lru_cache(maxsize=1)
def celeba_phi() -> Floats:
    """Return (40, 40), φ of every pair in CelebA's images 1 to 20,000."""
    with (files("bincam.faces.labels") / "assets" / "celeba_phi.csv").open(encoding="utf-8") as lines:
        rows = {row[""]: [float(row[name]) for name in ATTRIBUTES] for row in csv.DictReader(lines)}
    return _read_only(np.array([rows[name] for name in ATTRIBUTES]))


def by_attribute(asset: str, column: str) -> Floats:
    """Read (40,), one column of a packaged table with a row for each attribute; the array is read-only."""
    with (files("bincam.faces.labels") / "assets" / asset).open(encoding="utf-8") as lines:
        values = {row["attribute"]: float(row[column]) for row in csv.DictReader(lines)}
    return _read_only(np.array([values[name] for name in ATTRIBUTES]))


def phi_range(prevalence: Floats) -> tuple[Floats, Floats]:
    """Compute the bounds of φ for every pair of binary attributes.

    If both are true in a fraction s of faces, φ = (s - pq) / sqrt(p(1-p)q(1-q)) and max(0, p + q - 1) ≤ s ≤ min(p, q).
    Where a prevalence is 0 or 1, φ is undefined and both bounds are 0.

    Args:
        prevalence: (A,).

    Returns:
        Lower and upper bounds, (A, A) each.

    >>> low, high = phi_range(np.array([0.5, 0.2]))
    >>> float(low[0, 1]), float(high[0, 1])
    (-0.5, 0.5)
    """
    p, q = prevalence[:, None], prevalence[None, :]
    scale = np.sqrt(p * (1 - p) * q * (1 - q))
    safe = np.where(scale > 0, scale, 1.0)
    low = (np.maximum(p + q - 1, 0) - p * q) / safe
    high = (np.minimum(p, q) - p * q) / safe
    return np.where(scale > 0, low, 0.0), np.where(scale > 0, high, 0.0)


def _prevalence(source: str | Path) -> tuple[Floats, dict[int, float]]:
    """Return the prevalences of a preset or file, and by column those that a file names."""
    name = str(source)
    if name in {"celeba", "independent"}:
        return celeba_prevalence().copy(), {}
    if name == "balanced":
        return np.full(len(ATTRIBUTES), 0.5), {}
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"expected a prevalence of {', '.join(PRESETS)} or a CSV file, got {name!r}{nearest(name, PRESETS)}"
        )
    return celeba_prevalence().copy(), _read(path)


def _read(path: Path) -> dict[int, float]:
    demanded: dict[int, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if not {"attribute", "prevalence"} <= {*(rows.fieldnames or ())}:
                raise InputError(
                    f"{path}:1: expected the columns attribute and prevalence, got {', '.join(rows.fieldnames or ())}"
                )
            for row in rows:
                try:
                    column = index(row["attribute"])
                    value = _share(row["attribute"], float(row["prevalence"]))
                except (TypeError, ValueError) as error:
                    raise InputError(f"{path}:{rows.line_num}: {error}") from None
                if column in demanded:
                    raise InputError(f"{path}:{rows.line_num}: {row['attribute']} is listed twice")
                demanded[column] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return demanded


def _share(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:  # also NaN
        raise InputError(f"expected a prevalence between 0 and 1 for {name}, got {value:g}")
    return float(value)


def _check(demanded: Mapping[int, float]) -> None:
    """Refuse requested prevalences that are infeasible together."""
    alone = np.zeros(len(ATTRIBUTES))
    for column, value in demanded.items():
        alone[column] = value
    overfull = constraints.overfull(alone)
    if not overfull:
        return
    columns = sorted({column for clique in overfull for column in clique.columns if alone[column] > 0})
    possible = constraints.nearest_possible(alone)
    raise InputError(
        f"the prevalences {_list(columns, alone)} are not possible together: "
        f"{'; '.join(clique.why for clique in overfull)}. The nearest possible: {_list(columns, possible)}"
    )


def _named(values: Mapping[int, float]) -> dict[str, float]:
    return {ATTRIBUTES[column]: float(values[column]) for column in sorted(values)}


def _list(columns: list[int], values: Floats) -> str:
    return ", ".join(f"{ATTRIBUTES[column]}={values[column]:.3g}" for column in columns)


def _phi(pair: tuple[int, int], value: float, prevalence: Floats, low: float, high: float) -> float:
    """Check one requested correlation against the bounds of its pair."""
    a, b = pair
    first, second = ATTRIBUTES[a], ATTRIBUTES[b]
    if a == b:
        raise InputError(f"{first} cannot be correlated with itself")
    if not -1.0 <= value <= 1.0:
        raise InputError(f"expected a correlation between -1 and 1 for {first} and {second}, got {value:g}")
    for column in (a, b):
        if prevalence[column] in {0.0, 1.0}:
            raise InputError(
                f"{ATTRIBUTES[column]} is {'never' if prevalence[column] == 0 else 'always'} true, "
                f"so its correlation with {second if column == a else first} is undefined"
            )
    if constraints.exclusive()[a, b]:
        why = next(clique.why for clique in constraints.CLIQUES if {first, second} <= {*clique.names})
        raise InputError(
            f"{first} and {second} exclude each other ({why}), so their prevalences determine their correlation: "
            f"{low:.3f}"
        )
    if not low - 1e-9 <= value <= high + 1e-9:
        raise InputError(
            f"{first} and {second} cannot have the correlation {value:g}: at the prevalences {prevalence[a]:.3g} and "
            f"{prevalence[b]:.3g} it is between {low:.3f} and {high:.3f}. "
            f"The nearest possible: {np.clip(value, low, high):.3f}"
        )
    return float(np.clip(value, low, high))


def _read_only(values: Floats) -> Floats:
    values.setflags(write=False)
    return values
