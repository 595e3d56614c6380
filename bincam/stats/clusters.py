"""Clusters of images that are not independent of one another, such as those of one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

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
        >>> clusters.count, clusters.bootstrap
        (3, 'bootstrap over identities')
        >>> clusters.weights(resamples=2, seed=0).sum(0)  # every resample draws 3 clusters
        array([3., 3.], dtype=float32)
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

    @property
    def count(self) -> int:
        """K, the number of clusters."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    @property
    def bootstrap(self) -> str:
        """The name that estimates give to a bootstrap over these clusters."""
        return "bootstrap over identities" if self.known else "bootstrap"

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
        flat = member.reshape(len(member), -1).astype(np.float32)
        counts: NDArray[np.int64] = ((self.sums @ flat) > 0).sum(0).reshape(member.shape[1:])
        return counts

    def weights(self, resamples: int, seed: int) -> NDArray[np.float32]:
        """Draw K clusters with replacement, R times, and count how often each is drawn.

        Args:
            resamples: R.
            seed: The same seed gives the same draws.

        Returns:
            ``(K, R)`` float32, which takes 4·K·R bytes; each column sums to K.
        """
        rng = np.random.default_rng(seed)
        K = self.count
        result = np.zeros((K, resamples), np.float32)
        block = max(1, 4_000_000 // max(K, 1))
        for start in range(0, resamples, block):
            width = min(block, resamples - start)
            drawn = rng.integers(0, max(K, 1), (K, width)) * width + np.arange(width)
            result[:, start : start + width] = np.bincount(drawn.ravel(), minlength=K * width).reshape(K, width)
        return result
