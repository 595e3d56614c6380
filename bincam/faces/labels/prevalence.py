"""What a set of generated faces should look like in numbers: 40 prevalences and the φ of every pair."""

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
# In a balanced set, one face in ten is on neither side of an exclusion; without that, Goatee would be not-No_Beard.
BALANCED_ROOM = 0.9


@dataclass(frozen=True)
class Target:
    """What is wanted of a set of faces, checked to be possible pair by pair.

    Attributes:
        prevalence: (40,) in the order of ``ATTRIBUTES``.
        phi: (40, 40), symmetric, each within what the two prevalences allow. Without meaning where a pair is exclusive.
        demanded: (40, 40), True where the caller asked for this φ and an approximation will not do.
        request: What the caller asked for, as JSON can hold it and in a fixed order.
        given_way: What prevalences the demands left for the others, where that is less than was wanted: name → (wanted,
            granted).
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
    """Work out what is wanted.

    Args:
        prevalence: ``celeba``, ``balanced`` (every attribute in half of the faces, or, where attributes exclude each
            other, in equal shares of nine tenths), ``independent`` (CelebA's prevalences, all φ zero), or a CSV file
            with the columns ``attribute`` and ``prevalence``; attributes that it does not name keep CelebA's.
        set: Prevalences to override. What cannot hold beside them gives way in proportion.
        correlate: φ to override, by pair.
        correlation: ``celeba`` or ``none``; by default what the preset says, and ``celeba`` for a file.

    Returns:
        The target.

    Raises:
        InputError: A value out of range, an unknown name, or demands that cannot hold together; it says which, and the
            nearest that can.
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
    way = {
        ATTRIBUTES[i]: (float(wanted[i]), float(granted[i])) for i in np.flatnonzero(np.abs(wanted - granted) > 1e-6)
    }
    kind = correlation or ("none" if str(prevalence) == "independent" else "celeba")
    if kind not in {"celeba", "none"}:
        raise InputError(f"correlation is 'celeba' or 'none', got {kind!r}")
    low, high = phi_range(granted)
    phi = np.clip(celeba_phi() if kind == "celeba" else np.zeros_like(low), low, high)
    np.fill_diagonal(phi, 1.0)
    asked = np.zeros(phi.shape, dtype=bool)
    for (one, other), value in (correlate or {}).items():
        a, b = index(one), index(other)
        if asked[a, b]:
            raise InputError(f"the correlation of {one} and {other} is given twice")
        phi[a, b] = phi[b, a] = _phi((a, b), value, granted, low[a, b], high[a, b])
        asked[a, b] = asked[b, a] = True
    request = {
        "prevalence": source,
        "set": _named(overridden),
        "correlate": {f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}": float(phi[a, b]) for a, b in np.argwhere(np.triu(asked))},
        "correlation": kind,
    }
    return Target(granted, phi, asked, request, way)


@lru_cache(maxsize=1)
def celeba_prevalence() -> Floats:
    """(40,): CelebA's prevalences over all its 202,599 images."""
    with (files("bincam.faces.labels") / "assets" / "celeba_prevalence.csv").open(encoding="utf-8") as lines:
        found = {row["attribute"]: float(row["prevalence"]) for row in csv.DictReader(lines)}
    return _frozen(np.array([found[name] for name in ATTRIBUTES]))


@lru_cache(maxsize=1)
def celeba_phi() -> Floats:
    """(40, 40): φ of every pair in CelebA's images 1 to 20,000."""
    with (files("bincam.faces.labels") / "assets" / "celeba_phi.csv").open(encoding="utf-8") as lines:
        found = {row[""]: [float(row[name]) for name in ATTRIBUTES] for row in csv.DictReader(lines)}
    return _frozen(np.array([found[name] for name in ATTRIBUTES]))


def phi_range(prevalence: Floats) -> tuple[Floats, Floats]:
    """What φ two binary attributes of these prevalences can have.

    With both true in a share s of faces, φ = (s - pq) / sqrt(p(1-p)q(1-q)) and max(0, p + q - 1) ≤ s ≤ min(p, q).
    Where a prevalence is 0 or 1 there is no φ, and both bounds are 0.

    Args:
        prevalence: (40,).

    Returns:
        The least and the greatest, (40, 40) each.
    """
    p, q = prevalence[:, None], prevalence[None, :]
    scale = np.sqrt(p * (1 - p) * q * (1 - q))
    safe = np.where(scale > 0, scale, 1.0)
    low = (np.maximum(p + q - 1, 0) - p * q) / safe
    high = (np.minimum(p, q) - p * q) / safe
    return np.where(scale > 0, low, 0.0), np.where(scale > 0, high, 0.0)


def _prevalence(source: str | Path) -> tuple[Floats, dict[int, float]]:
    """The wanted prevalences, and by column those that a file demands."""
    name = str(source)
    if name in {"celeba", "independent"}:
        return celeba_prevalence().copy(), {}
    if name == "balanced":
        return np.full(len(ATTRIBUTES), 0.5), {}
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"prevalence is {', '.join(PRESETS)} or a CSV file; {name!r} is neither{nearest(name, PRESETS)}"
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
                    raise InputError(f"{path}:{rows.line_num}: {row['attribute']} is named twice")
                demanded[column] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return demanded


def _share(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:  # also NaN
        raise InputError(f"the prevalence of {name} is a share between 0 and 1, got {value:g}")
    return float(value)


def _check(demanded: Mapping[int, float]) -> None:
    """Refuse prevalences that exclude each other."""
    alone = np.zeros(len(ATTRIBUTES))
    for column, value in demanded.items():
        alone[column] = value
    tight = constraints.crowded(alone)
    if not tight:
        return
    columns = sorted({column for clique in tight for column in clique.columns if alone[column] > 0})
    possible = constraints.nearest_possible(alone)
    raise InputError(
        f"{_list(columns, alone)} cannot hold together: {'; '.join(clique.why for clique in tight)}. "
        f"The nearest possible: {_list(columns, possible)}"
    )


def _named(values: Mapping[int, float]) -> dict[str, float]:
    return {ATTRIBUTES[column]: float(values[column]) for column in sorted(values)}


def _list(columns: list[int], values: Floats) -> str:
    return ", ".join(f"{ATTRIBUTES[column]}={values[column]:.3g}" for column in columns)


def _phi(pair: tuple[int, int], value: float, prevalence: Floats, low: float, high: float) -> float:
    """Check one demanded correlation."""
    a, b = pair
    one, other = ATTRIBUTES[a], ATTRIBUTES[b]
    if a == b:
        raise InputError(f"{one} cannot be correlated with itself")
    if not -1.0 <= value <= 1.0:
        raise InputError(f"the correlation of {one} and {other} lies between -1 and 1, got {value:g}")
    for column in (a, b):
        if prevalence[column] in {0.0, 1.0}:
            raise InputError(
                f"{ATTRIBUTES[column]} is {'never' if prevalence[column] == 0 else 'always'} true, "
                f"so it has no correlation with {other if column == a else one}"
            )
    if constraints.exclusive()[a, b]:
        why = next(clique.why for clique in constraints.CLIQUES if {one, other} <= {*clique.names})
        raise InputError(
            f"{one} and {other} exclude each other ({why}), so their correlation follows from their prevalences; "
            f"the only one possible: {low:.3f}"
        )
    if not low - 1e-9 <= value <= high + 1e-9:
        raise InputError(
            f"{one} and {other} cannot have the correlation {value:g}: with the prevalences {prevalence[a]:.3g} and "
            f"{prevalence[b]:.3g} it lies between {low:.3f} and {high:.3f}. "
            f"The nearest possible: {np.clip(value, low, high):.3f}"
        )
    return float(np.clip(value, low, high))


def _frozen(values: Floats) -> Floats:
    values.setflags(write=False)
    return values
