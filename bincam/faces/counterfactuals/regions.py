"""Where each attribute is in an aligned face, measured on generated faces: one region per drawn attribute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.regions.regions import Regions
from bincam.faces.geometry.pose import MEAN
from bincam.files import atomic

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

HELD = 0.8  # the share of an attribute's influence that its region holds
FILE = Path(__file__).parent / "assets" / "regions.npz"


def from_influence(share: Floats, held: float = HELD) -> Mask:
    """The smallest region that holds a given share of an attribute's influence.

    Args:
        share: (H, W), not negative: the share of faces in which the attribute changes each pixel. It is averaged with
            its mirror image first, since aligned faces are symmetric and a sample of them is not.
        held: The share of the sum that the region must hold, in (0, 1].

    Returns:
        (H, W), symmetric. Empty where nothing is influenced.
    """
    even = (share + share[:, ::-1]) / 2
    values = np.sort(even, axis=None)[::-1]
    total = values.sum()
    if total == 0:
        return np.zeros(share.shape, dtype=bool)
    least = values[np.searchsorted(np.cumsum(values), held * total)]
    result: Mask = even >= least
    return result


def measured_regions() -> Regions:
    """The regions measured on generated faces, for any face: they follow its landmarks, or lie as CelebA is aligned."""
    return Regions.drawn(load(), MEAN, "regions measured on generated faces")


def save(masks: Mapping[str, Mask], file: Path = FILE) -> None:
    """Keep regions, all of one size, by attribute."""
    stacked = np.stack(list(masks.values()))  # (A, H, W)
    with atomic(file) as part:
        np.savez_compressed(part, names=np.array(list(masks)), shape=stacked.shape[1:], bits=np.packbits(stacked))


def load(file: Path = FILE) -> dict[str, Mask]:
    """The regions as they were kept, (218, 178) each: CelebA's aligned images."""
    with np.load(file, allow_pickle=False) as stored:
        names = [str(name) for name in stored["names"]]
        shape = (len(names), *(int(n) for n in stored["shape"]))
        masks = np.unpackbits(stored["bits"], count=int(np.prod(shape))).reshape(shape).astype(bool)
    return dict(zip(names, masks, strict=True))
