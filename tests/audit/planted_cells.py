"""Pictures of a red square somewhere, half of which are too small for a mean over cells, each with its exact mask.

Where the label is positive there is a red square, the object, and a green one of the same size elsewhere. The honest
model reads red, its twin green. Both miss the small squares, because a mean over 64 cells dilutes one cell; but only
the honest one has the evidence in the cells of the object.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bincam.audit import Settings
from bincam.data import AttributeTable, write_celeba
from tests.audit.planted import NAMES, SIDE

CELL = 4


def write_pictures(root: Path, count: int = 120, *, seed: int = 0) -> AttributeTable:
    """A folder in CelebA's layout with ``objects/Object/STEM.png``: every third picture for validation."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (count, len(NAMES))).astype(np.float32)
    pictures = rng.integers(0, 40, (count, SIDE, SIDE, 3)).astype(np.uint8)
    (root / "objects" / "Object").mkdir(parents=True)
    for row in np.flatnonzero(labels[:, 0]):
        side = CELL if row % 2 else 2 * CELL
        mask = np.zeros((SIDE, SIDE), np.uint8)
        top, left = CELL * rng.integers(0, (SIDE - side) // CELL + 1, 2)
        mask[top : top + side, left : left + side] = 255
        pictures[row][mask > 0] = (250, 0, 0)
        down, right = (top + SIDE // 2) % (SIDE - side), (left + SIDE // 2) % (SIDE - side)
        free = np.zeros((SIDE, SIDE), bool)
        free[down : down + side, right : right + side] = True
        pictures[row][free & (mask == 0)] = (0, 250, 0)
        Image.fromarray(mask).save(root / "objects" / "Object" / f"{row:04d}.png")
    table = AttributeTable(
        names=NAMES,
        labels=labels,
        ids=tuple(f"{row:04d}.png" for row in range(count)),
        root=root,
        splits=np.where(np.arange(count) % 3 == 0, "validation", "test"),
        identities=np.array([str(row) for row in range(count)]),
    )
    return write_celeba(table, pictures, root)


def cell_settings(root: Path, **changes: object) -> Settings:
    """Settings of a small audit with a prediction grid and these masks."""
    chosen = {"object_masks": root / "objects", "regions": None, "batch_size": 4, "shard_images": 40, "gate_images": 0}
    return Settings(**{**chosen, "grid": True, **changes})
