"""Named random streams, one for each part of a face, so that the draws of one part never shift those of another."""

from __future__ import annotations

import zlib

import numpy as np


def stream(key: int, name: str) -> np.random.Generator:
    """Create the random stream of one part.

    Args:
        key: The seed of the face for parts of the photograph, its identity for parts of the person.
        name: The part. The number and order of draws must not depend on any attribute: draw everything, then select.

    Returns:
        A generator in its initial state.

    >>> float(stream(7, "hair").random()) == float(stream(7, "hair").random())
    True
    >>> float(stream(7, "hair").random()) == float(stream(7, "hat").random())
    False
    """
    return np.random.Generator(np.random.PCG64([key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF, zlib.crc32(name.encode())]))
