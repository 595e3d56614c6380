"""Regions of aligned faces measured on generated faces, one for each drawn attribute."""

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

FRACTION = 0.8  # of an attribute's influence that its region contains
FILE = Path(__file__).parent / "assets" / "regions.npz"


def from_influence(frequency: Floats, fraction: float = FRACTION) -> Mask:
    """Find the smallest symmetric region that contains a given fraction of an attribute's influence.

    Args:
        frequency: (H, W), not negative: the fraction of faces in which the attribute changes each pixel. It is first
            averaged with its mirror image, because aligned faces are symmetric and a sample of them is not.
        fraction: Of the sum of ``frequency``, to be contained in the region, in (0, 1].

    Returns:
        (H, W). Empty if the attribute changes no pixel.

    >>> from_influence(np.array([[0.0, 0.9, 0.7, 0.1]])).tolist()
    [[False, True, True, False]]
    """
    even = (frequency + frequency[:, ::-1]) / 2
    values = np.sort(even, axis=None)[::-1]
    total = values.sum()
    if total == 0:
        return np.zeros(frequency.shape, dtype=bool)
    least = values[np.searchsorted(np.cumsum(values), fraction * total)]
    result: Mask = even >= least
    return result


def measured_regions() -> Regions:
    """Return the regions measured on generated faces, for use with any faces.

    They follow the landmarks of each face, or, without landmarks, assume CelebA's alignment.

    >>> from bincam.faces import measured_regions
    >>> regions = measured_regions()
    >>> "Smiling" in regions, "Attractive" in regions
    (True, False)
    """
    return Regions.drawn(load(), MEAN, "regions measured on generated faces")


def save(masks: Mapping[str, Mask], file: Path = FILE) -> None:
    """Write regions by attribute, all of the same size."""
    stacked = np.stack(list(masks.values()))  # (A, H, W)
    with atomic(file) as part:
        np.savez_compressed(part, names=np.array(list(masks)), shape=stacked.shape[1:], bits=np.packbits(stacked))


def load(file: Path = FILE) -> dict[str, Mask]:
    """Read stored regions by attribute; the packaged ones are (218, 178), the size of CelebA's aligned images."""
    with np.load(file, allow_pickle=False) as stored:
        names = [str(name) for name in stored["names"]]
        shape = (len(names), *(int(n) for n in stored["shape"]))
        masks = np.unpackbits(stored["bits"], count=int(np.prod(shape))).reshape(shape).astype(bool)
    return dict(zip(names, masks, strict=True))
