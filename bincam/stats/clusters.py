"""Clusters of images that are not independent of one another, such as those of one person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Clusters:
    """The cluster of every image: its person. Without identities every image is its own cluster.

    Attributes:
        codes: ``(N,)``: index of the image's cluster, from 0 on.
        known: True if the data names identities.

    Example:
        >>> clusters = Clusters.of(["ann", "bob", "ann", ""])
        >>> clusters.count, clusters.codes.tolist()
        (3, [1, 2, 1, 0])
    """

    codes: NDArray[np.int64]
    known: bool

    @classmethod
    def of(cls, identities: Iterable[str]) -> Clusters:
        """Make clusters of N names; an image with an empty name is a cluster of its own."""
        names = np.asarray(list(identities), object)
        blank = names == ""
        if blank.all():
            return cls(np.arange(len(names)), known=False)
        alone = np.array([f"\0{n}" for n in range(len(names))], object)
        return cls(np.unique(np.where(blank, alone, names).astype(str), return_inverse=True)[1].astype(np.int64), True)

    @classmethod
    def of_encoded(cls, names: Sequence[str], places: NDArray[np.integer]) -> Clusters:
        """Make the clusters that ``of`` makes, of names that are stored once: without a string for every image.

        Args:
            names: Different names.
            places: ``(N,)``: the place of each image's name.

        >>> Clusters.of_encoded(["bob", "", "ann"], np.array([2, 0, 2, 1])).codes.tolist()
        [1, 2, 1, 0]
        """
        blank = places == names.index("") if "" in names else np.zeros(len(places), bool)
        if blank.all():
            return cls(np.arange(len(places)), known=False)
        used = np.unique(places[~blank]).tolist()
        alone = np.flatnonzero(blank)  # before all names, in the order of their positions as texts
        rank = np.full(len(names), -1, np.int64)
        rank[sorted(used, key=lambda place: names[place])] = len(alone) + np.arange(len(used))
        codes = rank[places]
        codes[alone[np.argsort(alone.astype(str), kind="stable")]] = np.arange(len(alone))
        return cls(codes, known=True)

    def among(self, images: NDArray[Any]) -> Clusters:
        """Return the clusters of some images, numbered anew.

        Args:
            images: Their positions, or a mask ``(N,)``.

        >>> Clusters(np.array([5, 2, 5, 7]), known=True).among(np.array([0, 2, 3])).codes.tolist()
        [0, 0, 1]
        """
        return Clusters(np.unique(self.codes[images], return_inverse=True)[1].astype(np.int64), self.known)

    @property
    def count(self) -> int:
        """K, the number of clusters."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    @cached_property
    def sums(self) -> csr_array:
        """``(K, N)``: multiplied by values ``(N, ...)`` it gives their sums per cluster."""
        from scipy.sparse import csr_array

        n = len(self.codes)
        return csr_array((np.ones(n, np.float32), (self.codes, np.arange(n))), shape=(self.count, n))

    def identities(self, member: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """Count the clusters in each cell of images: ``(N, ...)`` to ``(...)``; None without identities."""
        if not self.known:
            return None
        flat = member.reshape(len(member), math.prod(member.shape[1:])).astype(np.float32)
        counts: NDArray[np.int64] = ((self.sums @ flat) > 0).sum(0).reshape(member.shape[1:])
        return counts


def different(codes: NDArray[np.integer]) -> int:
    """Count the different codes, which are not negative: without sorting them, as there are few of many images.

    >>> different(np.array([3, 0, 3, 1]))
    3
    """
    return int(np.count_nonzero(np.bincount(codes)))
