"""Named random streams: one for each part of a face, so that what one part draws never shifts what another gets."""

from __future__ import annotations

import zlib

import numpy as np


def stream(key: int, name: str) -> np.random.Generator:
    """The stream of one part.

    Args:
        key: The face's seed, for what belongs to the photograph, or its identity, for what belongs to the person.
        name: The part. Draws from it must not depend on any attribute in number or order: draw everything, then choose.
    """
    return np.random.Generator(np.random.PCG64([key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF, zlib.crc32(name.encode())]))
