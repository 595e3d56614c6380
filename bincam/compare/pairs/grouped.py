"""Groups of images by the label of an attribute and the answers of two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.compare.pairs.paired import Decided


@dataclass(frozen=True)
class Grouped:
    """The groups of the N images that two models' answers on an attribute make.

    Attributes:
        cell: ``(N,)``: one of 36 cells by label and the three answers; -1 where a model's logit is not finite.
        membership: ``(G, 36)``: 1 where a cell belongs to a group.
        names: Names of the G groups.
        unchanged: ``(N,)``: the adjusted threshold does not change the first model's answer.
    """

    cell: NDArray[np.int64]
    membership: NDArray[np.float32]
    names: list[str]
    unchanged: NDArray[np.bool_]

    @classmethod
    def of(cls, decided: Decided) -> Grouped:
        """Sort the images of an attribute into cells, of which groups are made."""
        truth = np.where(np.isnan(decided.label), 0, np.where(decided.label > 0, 1, -1))
        first, moved, second = decided.answers.astype(int)
        cell = ((truth + 1) * 2 + (first > 0)) * 6 + (moved + 1) * 2 + (second > 0)
        cell = np.where((first != 0) & (second != 0), cell, -1)
        sides = np.array(
            [(t, f, m, s) for t in (-1, 0, 1) for f in (-1, 1) for m in (-1, 0, 1) for s in (-1, 1)]
        )  # (36, 4), in the order of the cells' numbers
        minority = decided.minority
        groups: dict[str, NDArray[np.bool_]] = {"all": np.ones(len(sides), bool)}
        for sign, part in ((minority, "minority"), (-minority, "majority")):
            t, f, m, s = (sides == sign).T
            groups |= {
                f"true:{part}": t,
                f"first predicted:{part}": f,
                f"moved predicted:{part}": m,
                f"second predicted:{part}": s,
                f"alike:{part}": f & s,
                f"alike, moved too:{part}": f & m & s,
            }
        membership = np.stack(list(groups.values())).astype(np.float32)
        return cls(cell, membership, list(groups), (moved != 0) & (moved == first))

    def member(self, group: str) -> NDArray[np.bool_]:
        """Find the images of a group, ``(N,)``."""
        inside = np.append(self.membership[self.names.index(group)] > 0, False)  # the last entry is that of -1
        found: NDArray[np.bool_] = inside[self.cell]
        return found
