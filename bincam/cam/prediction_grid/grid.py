"""Cell scores of a batch, what each cell says, and how far their mean is from the logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from bincam.decision import is_positive
from bincam.errors import InputError, nearest
from bincam.models.log_odds import first_of_highest

Reading = Literal["frozen", "pointwise"]


@dataclass(frozen=True)
class PredictionGrid:
    """Cell scores of B images and A attributes.

    ``Explanation.grid`` makes it.

    Attributes:
        attributes: A names.
        reading: ``frozen`` or ``pointwise``.
        scores: ``(B, A, h, w)``: s, in logit units.
        logits: ``(B, A)``: z.
        threshold: ``(A,)``: t; without effect on outputs in sets.
        sets: Name of the set of each attribute, None for a yes-or-no attribute; empty if there are no sets.
        members: Name of a set to ``(B, K, h, w)``: raw scores of all its outputs in every cell.
        names: Name of a set to the names of its K outputs.
        places: ``(B, A)``: place of each attribute within its set, -1 for a yes-or-no attribute.
        raw: Whether ``members`` are raw scores; otherwise they are known up to a number that all outputs of a set have
            in common in a cell, which changes no argmax, but every other pooling than the mean.
        reference: What is taken out: ``zero`` for nothing, or the name of a fitted reference.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(
        ...     nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        ... )
        >>> grid = Explainer(model, names=["Smiling", "Bald"])(torch.rand(4, 3, 16, 16)).grid()
        >>> grid.scores.shape, grid.reading, grid.decomposes
        (torch.Size([4, 2, 16, 16]), 'frozen', True)
        >>> torch.allclose(grid.scores.mean((-2, -1)), grid.logits, atol=1e-5)
        True
    """

    attributes: tuple[str, ...]
    reading: Reading
    scores: Tensor
    logits: Tensor
    threshold: Tensor
    sets: tuple[str | None, ...] = ()
    members: Mapping[str, Tensor] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Tensor | None = None
    raw: bool = True
    reference: str = "zero"

    @property
    def decomposes(self) -> bool:
        """True if the mean of the cells is the logit."""
        return self.reading == "frozen"

    @property
    def shape(self) -> tuple[int, int]:
        """``(h, w)``."""
        return int(self.scores.shape[-2]), int(self.scores.shape[-1])

    @property
    def gap(self) -> Tensor:
        """Z less the mean of the cells, ``(B, A)``: 0 up to rounding in the frozen reading."""
        return self.logits - self.scores.mean((-2, -1))

    def winners(self, owner: str) -> Tensor:
        """Find the output of a set that each cell names: the highest raw score, the first of equals.

        Args:
            owner: Name of the set.

        Returns:
            ``(B, h, w)``: place of the output within the set; -1 where a score is NaN.

        Raises:
            InputError: There is no such set.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
            >>> explainer = Explainer(model, names=["cat", "dog", "fox"], one_of={"animal": ["cat", "dog", "fox"]})
            >>> explainer(torch.rand(4, 3, 16, 16)).grid().winners("animal").shape
            torch.Size([4, 14, 14])
        """
        if owner not in self.members:
            raise InputError(f"no set {owner!r} in this grid{nearest(owner, self.members)}")
        first = first_of_highest(self.members[owner].movedim(1, -1))
        return torch.where(first.any(-1), first.int().argmax(-1), -1)

    @property
    def yes(self) -> Tensor:
        """What each cell says, ``(B, A, h, w)``: 1 for yes (s >= t, in a set the argmax), 0 for no; NaN: undefined."""
        result: Tensor = is_positive(self.scores, self.threshold.to(self.scores)[:, None, None]).to(self.scores)
        if self.places is not None:
            for owner in self.members:
                own = [column for column, name in enumerate(self.sets) if name == owner]
                named = self.winners(owner)[:, None]
                result[:, own] = (named == self.places[:, own, None, None]).to(result)
                result[:, own] = result[:, own].masked_fill(named < 0, torch.nan)
        return result.masked_fill(self.scores.isnan(), torch.nan)

    def rows(self, rows: slice) -> PredictionGrid:
        """Select some images."""
        return replace(
            self,
            scores=self.scores[rows],
            logits=self.logits[rows],
            members={owner: values[rows] for owner, values in self.members.items()},
            places=None if self.places is None else self.places[rows],
        )


def joined_grids(parts: Sequence[PredictionGrid]) -> PredictionGrid:
    """Join the grids of consecutive images by one explainer; at least one."""
    places = [part.places for part in parts if part.places is not None]
    return replace(
        parts[0],
        scores=torch.cat([part.scores for part in parts]),
        logits=torch.cat([part.logits for part in parts]),
        members={owner: torch.cat([part.members[owner] for part in parts]) for owner in parts[0].members},
        places=torch.cat(places) if places else None,
    )
