"""Pictures of one coloured square each, in the corner of its colour, and softmax models that read the colours.

The set ``colour`` is true by construction: exactly one square is there. A fault can be planted in one output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bincam.data import AttributeTable, Regions, write_celeba
from bincam.models import AttributeClassifier, Card, make_card
from tests.audit.planted import SIDE, Eye

COLOURS = ("red", "green", "blue")
CORNERS = {"red": (slice(2, 10), slice(2, 10)), "green": (slice(2, 10), slice(22, 30)),
           "blue": (slice(22, 30), slice(2, 10))}  # fmt: skip
NAMES = (*COLOURS, "Bright")
SETS = {"colour": COLOURS}
TRAINED = {"red": (400, 600), "green": (700, 300), "blue": (900, 100), "Bright": (500, 500)}


def write_pictures(root: Path, count: int = 60, *, seed: int = 0, people: int = 2) -> AttributeTable:
    """A folder in CelebA's layout: every third picture for validation, the others for the test."""
    rng = np.random.default_rng(seed)
    true = rng.permutation(np.arange(count) % 3)
    bright = rng.integers(0, 2, count)
    pictures = rng.integers(0, 20, (count, SIDE, SIDE, 3)).astype(np.uint8)
    for row, colour in enumerate(true):
        pictures[(row, *CORNERS[COLOURS[colour]], colour)] = 250 if bright[row] else 200
    labels = np.concatenate([np.eye(3)[true], bright[:, None]], 1).astype(np.float32)
    table = AttributeTable(
        names=NAMES,
        labels=labels,
        ids=tuple(f"{row:04d}.png" for row in range(count)),
        root=root,
        splits=np.where(np.arange(count) % 3 == 0, "validation", "test"),
        identities=np.array([str(1 + row // people) for row in range(count)]),
    )
    half = np.where(np.arange(count) % 2, "odd", "even")
    return replace(write_celeba(table, pictures, root), one_of=SETS, groups={"half": half})


def corners() -> Regions:
    """The corner of each colour; the yes-or-no attribute has no region."""
    masks = {}
    for colour, place in CORNERS.items():
        masks[colour] = np.zeros((SIDE, SIDE), bool)
        masks[colour][place] = True
    return Regions.drawn(masks, source="the corners")


def card(one_of: object = SETS, names: Sequence[str] = NAMES, **changes: object) -> Card:
    return make_card(
        **{  # type: ignore[arg-type]
            "attributes": tuple(names),
            "architecture": "factory",
            "name": "tests.audit.planted:build",
            "one_of": one_of,
            "input_size": (SIDE, SIDE),
            "mean": (0.0,) * 3,
            "std": (1.0,) * 3,
            "train_counts": {name: TRAINED[name] for name in names if name in TRAINED},
            **changes,
        }
    )


def reader(fault: str | None = None, *, gain: float = 400.0, **changes: object) -> AttributeClassifier:
    """A softmax over the colours, and a yes-or-no attribute; with a fault that colour counts for red."""
    weight = np.zeros((4, 3))
    for k, colour in enumerate(COLOURS):
        weight[COLOURS.index("red") if colour == fault else k, k] = gain
    weight[3] = gain
    return AttributeClassifier(Eye(weight.tolist(), [0.3, 0.0, -0.2, -gain * 0.03]), card(**changes)).eval()
