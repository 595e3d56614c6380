"""Clusters of images, such as those of one person."""

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
    """Which images show one person. Without identities every image is its own cluster.

    Attributes:
        codes: ``(N,)``, from 0 on.
        known: Whether the data names identities.
    """

    codes: NDArray[np.int64]
    known: bool

    @classmethod
    def of(cls, identities: Iterable[str]) -> Clusters:
        """Clusters of N names; an image with an empty name is somebody of its own."""
        names = np.asarray(list(identities), object)
        blank = names == ""
        if blank.all():
            return cls(np.arange(len(names)), known=False)
        alone = np.array([f"\0{n}" for n in range(len(names))], object)
        return cls(np.unique(np.where(blank, alone, names).astype(str), return_inverse=True)[1].astype(np.int64), True)

    @property
    def count(self) -> int:
        """K, their number."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    @property
    def bootstrap(self) -> str:
        """What a bootstrap that draws these clusters is called in an estimate."""
        return "bootstrap over identities" if self.known else "bootstrap"

    @cached_property
    def sums(self) -> csr_array:
        """``(K, N)``: times values ``(N, ...)``, their sums per cluster."""
        from scipy.sparse import csr_array

        n = len(self.codes)
        return csr_array((np.ones(n, np.float32), (self.codes, np.arange(n))), shape=(self.count, n))

    def identities(self, member: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """How many people are in each cell: ``(N, ...)`` to ``(...)``; None where identities are not known."""
        if not self.known:
            return None
        flat = member.reshape(len(member), -1).astype(np.float32)
        people: NDArray[np.int64] = ((self.sums @ flat) > 0).sum(0).reshape(member.shape[1:])
        return people

    def weights(self, resamples: int, seed: int) -> NDArray[np.float32]:
        """How often each cluster is drawn when K of them are drawn with replacement: ``(K, R)``, each column sums to K.

        4·K·R bytes.
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
