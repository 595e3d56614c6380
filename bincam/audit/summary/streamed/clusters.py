"""Clusters of the images of a long audit: people, or groups of a fixed number where these would not fit into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

SALT = b"bincam"
GROUPS = 4096
"""Number of groups of images without people: a standard error from so many is right to 1 %."""

MOST_PEOPLE = 16_384
"""Sums of more people would not fit into memory: they are put into as many groups."""


@dataclass(frozen=True)
class StreamedClusters:
    """The cluster of every image of an audit, also of those that were skipped.

    Attributes:
        codes: ``(N,)``: index of the cluster of each row of ``images.parquet``.
        count: K.
        known: True if the data names people.
        people: Number of people of the images that were read, an image without a name counting as one; None where the
            data names none.
        grouped: True if people were put into groups, so that counts of people are counts of groups.
    """

    codes: NDArray[np.int32]
    count: int
    known: bool
    people: int | None
    grouped: bool = False

    @classmethod
    def of(
        cls,
        identity: pa.ChunkedArray,
        read: NDArray[np.bool_] | None = None,
        *,
        most: int = MOST_PEOPLE,
        groups: int = GROUPS,
    ) -> StreamedClusters:
        """Make the clusters of the column ``identity``.

        People are in the order of a 128-bit hash of their names, which neither the order of the images nor that of
        shards changes; with more people than ``most``, the hash modulo ``most`` is the group of a person. Where the
        data names nobody, images are put into groups by a hash of their rows.

        Args:
            identity: Names; empty where unknown.
            read: ``(N,)``: images that were read; all by default.
            most: Greatest number of clusters of people.
            groups: Number of groups of images where no people are named.

        >>> import pyarrow as pa
        >>> clusters = StreamedClusters.of(pa.chunked_array([["ann", "bob", "ann", ""]]))
        >>> clusters.people, clusters.codes[0] == clusters.codes[2], len(set(clusters.codes.tolist()))
        (3, np.True_, 3)
        """
        encoded = identity.combine_chunks().dictionary_encode()
        names: list[str] = encoded.dictionary.to_pylist()
        of_name = encoded.indices.to_numpy(zero_copy_only=False)
        blank = of_name == names.index("") if "" in names else np.zeros(len(of_name), bool)
        if blank.all():
            return cls((_mixed(np.arange(len(of_name))) % np.uint64(groups)).astype(np.int32), groups, False, None)
        hashes = _hashes([name for name in names if name])
        order = np.full(len(names), -1)
        order[[place for place, name in enumerate(names) if name]] = np.arange(len(hashes))
        alone = int(blank.sum())
        there = np.ones(len(of_name), bool) if read is None else read
        people = len(np.unique(of_name[there & ~blank])) + int((there & blank).sum())
        if len(hashes) + alone <= most:
            rank = np.empty(len(hashes), np.int64)
            rank[np.lexsort((hashes[:, 1], hashes[:, 0]))] = np.arange(len(hashes))
            codes = rank[order[of_name]] if len(hashes) else np.zeros(len(of_name), np.int64)
            codes[blank] = len(hashes) + np.arange(alone)
            return cls(codes.astype(np.int32), len(hashes) + alone, True, people)
        codes = (hashes[order[of_name], 1] % np.uint64(most)).astype(np.int32)
        codes[blank] = (_mixed(np.flatnonzero(blank)) % np.uint64(most)).astype(np.int32)
        return cls(codes, most, True, people, grouped=True)


def _hashes(names: Sequence[str]) -> NDArray[np.uint64]:
    """Hash names to 128 bits each, ``(P, 2)``."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=16, salt=SALT).digest() for name in names)
    return np.frombuffer(digests, np.dtype("<u8")).reshape(-1, 2)


def _mixed(numbers: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Hash numbers to 64 bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed
