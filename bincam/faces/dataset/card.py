"""The card of a set of generated faces: the settings it was made with and its measured statistics."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.describe import SPLITS
from bincam.faces.labels import constraints
from bincam.faces.labels.copula import phi
from bincam.faces.labels.prevalence import Target
from bincam.faces.labels.sampler import Faces
from bincam.faces.labels.spec import ATTRIBUTES
from bincam.generated import begun

KIND = "bincam-faces"
SCHEMA = 1
_SHARES = dict[str, float]
_COMPLETE: Mapping[str, Any] = {
    "images": int,
    "measured.splits": dict[str, int],
    "measured.people": int,
    "measured.prevalence_error_points.mean": float,
    "measured.prevalence_error_points.max": float,
    "measured.prevalence_error_points.of": str,
    "measured.phi_error.mean": float | None,
    "measured.phi_error.pairs": int,
    "measured.correlations": _SHARES,
    "measured.not_seen": dict[str, int],
    "measured.given_way": dict[str, _SHARES],
}
head = partial(begun.head, KIND, SCHEMA)
read_same = partial(begun.read_same, kind=KIND, schema=SCHEMA, complete=_COMPLETE)


def measure(target: Target, faces: Faces, labels: NDArray[np.bool_]) -> dict[str, Any]:
    """Measure how closely a set meets its target.

    Args:
        target: The requested prevalences and φ.
        faces: N faces, as sampled.
        labels: (N, 40), the labels that can be seen.

    Returns:
        Prevalences, their errors in percentage points, the error of φ over pairs that do not exclude each other and
        whose attributes both occur in both classes, the number of labels dropped because they cannot be seen, and the
        sizes of the splits.
    """
    prevalence = labels.mean(axis=0)
    error = 100 * np.abs(prevalence - target.prevalence)
    varied = (prevalence > 0) & (prevalence < 1)
    pairs = np.triu(~constraints.exclusive(), 1) & varied[:, None] & varied
    measured = phi(labels)
    phi_error = np.abs(measured - target.phi)[pairs]
    return {
        "prevalence": _named(prevalence),
        "wanted": _named(target.prevalence),
        "prevalence_error_points": {
            "mean": round(float(error.mean()), 3),
            "max": round(float(error.max()), 3),
            "of": ATTRIBUTES[int(error.argmax())],
        },
        "phi_error": {
            "mean": round(float(phi_error.mean()), 4) if phi_error.size else None,
            "max": round(float(phi_error.max()), 4) if phi_error.size else None,
            "pairs": int(pairs.sum()),
        },
        "correlations": {
            f"{ATTRIBUTES[a]},{ATTRIBUTES[b]}": round(float(measured[a, b]), 4)
            for a, b in np.argwhere(np.triu(target.demanded))
        },
        "not_seen": {
            name: int(n) for name, n in zip(ATTRIBUTES, (faces.labels & ~labels).sum(axis=0), strict=True) if n
        },
        "given_way": {
            name: {"wanted": wanted, "possible": possible} for name, (wanted, possible) in target.given_way.items()
        },
        "splits": {name: int((faces.split == code).sum()) for code, name in enumerate(SPLITS)},
        "people": len(np.unique(faces.person)),
    }


def _named(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in zip(ATTRIBUTES, values, strict=True)}
