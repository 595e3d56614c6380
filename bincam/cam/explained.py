"""What was explained of a batch: the fields of an explanation, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from bincam.cam.decompose import Decomposition
from bincam.cam.prediction_grid.grid import PredictionGrid, Reading, joined_grids
from bincam.cam.reference import Reference
from bincam.models.anatomy import Kind
from bincam.models.heads import Head, probability

_BY_IMAGE = (
    "logits",
    "side",
    "maps",
    "bias",
    "alternatives",
    "odds",
    "predicted",
    "outputs",
    "rivals",
    "scores",
    "beyond",
)
"""Fields with a row per image."""


@dataclass(frozen=True)
class Explained:
    """Maps of B images and A attributes, the decomposition behind them and what was asked; see ``Explanation``."""

    attributes: tuple[str, ...]
    logits: Tensor
    side: Tensor
    threshold: Tensor
    maps: Tensor
    decomposition: Decomposition | None
    bias: Tensor | None
    method: str
    layer: str
    kind: Kind
    reason: str
    complete: bool
    head: Head
    image_size: tuple[int, int]
    sets: tuple[str | None, ...] = ()
    versus: str | None = None
    alternatives: Tensor | None = None
    odds: Tensor | None = None
    predicted: Tensor | None = None
    outputs: Tensor | None = None
    rivals: Tensor | None = None
    names: tuple[str, ...] = ()
    scores: Tensor | None = None
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pooling: str = ""
    pooled_cells: int = 0
    pointwise: bool = False
    grids: Mapping[Reading, PredictionGrid] = field(default_factory=dict)
    views: int = 0
    beyond: Tensor | None = None
    reference: str = "zero"

    @property
    def has_alternatives(self) -> bool:
        """True if a logit has a term for the entropy of its alternatives, as log-odds of a set of several outputs."""
        return self.alternatives is not None and bool((self.alternatives != 0).any())

    def set_of(self, column: int) -> str | None:
        """Name of the set of an explained output; None for a yes-or-no attribute."""
        return self.sets[column] if self.sets else None

    @property
    def one_of(self) -> dict[str, tuple[str, ...]]:
        """Name of a set to those of its outputs that are explained; with ``top``, to their ranks."""
        pairs = list(zip(self.attributes, self.sets, strict=False))
        return {
            name: tuple(output for output, owner in pairs if owner == name)
            for name in dict.fromkeys(self.sets)
            if name is not None
        }

    def output_names(self, image: int) -> tuple[str, ...]:
        """Names of the outputs that are explained of one image: with ``top`` those at each rank, else ``attributes``.

        Example:
            >>> import torch
            >>> from torch import nn
            >>> from bincam import Explainer
            >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
            >>> names = ["cat", "dog", "fox"]
            >>> explanation = Explainer(model, names=names, one_of={"animal": names}, top=2)(torch.rand(4, 3, 16, 16))
            >>> explanation.attributes
            ('animal: 1st', 'animal: 2nd')
            >>> set(explanation.output_names(0)) < set(names)
            True
        """
        if self.outputs is None:
            return self.attributes
        return tuple(self.names[column] for column in self.outputs[image].tolist())

    def taken_with(self, image: int, column: int) -> float | None:
        """The probability of an output that is predicted although it is below one half; None for all other outputs."""
        if self.set_of(column) is None or self.predicted is None or not bool(self.predicted[image, column]):
            return None
        value = self.probability[image, column].item()
        return value if value < 0.5 else None

    def rows(self, rows: slice) -> Self:
        """Select some images."""

        def part(values: Tensor | None) -> Any:
            return None if values is None else values[rows]

        terms = self.decomposition
        if terms is not None:
            terms = Decomposition(part(terms.evidence), part(terms.prefix), part(terms.bias))
        return replace(
            self,
            decomposition=terms,
            grids={reading: grid.rows(rows) for reading, grid in self.grids.items()},
            **{name: part(getattr(self, name)) for name in _BY_IMAGE},
        )

    @property
    def probability(self) -> Tensor:
        """The probability of the positive class, ``(B, A)``; of an output in a set, its softmax probability."""
        return probability(self.logits if self.odds is None else self.odds, self.head)

    @property
    def identity_gap(self) -> Tensor:
        """The part of the logit that maps and constant do not account for: z - b - p - ΣS, ``(B, A)``.

        If the head has no constant (``bias`` is None), it is z - ΣS. Of log-odds, the entropy of the alternatives is a
        further term: z + H(π) - b - p - ΣS.
        """
        located = self.side * self.maps.sum((-2, -1))
        constant = torch.zeros_like(located) if self.bias is None else self.bias
        prefix = torch.zeros_like(located) if self.decomposition is None else self.decomposition.prefix
        lost = 0 if self.alternatives is None else self.alternatives
        return self.logits - lost - constant - (0 if self.method == "fullgrad" else prefix) - located

    def reference_grid(self, reference: Reference) -> Tensor:
        """Return the reference's grids of the explained outputs: ``(A, h, w)``, ``(B, A, h, w)`` where images differ.

        Raises:
            InputError: It has another grid, or lacks one of these attributes.
        """
        if self.outputs is None:
            return reference.for_maps(self.attributes, self.maps if reference.method else self._evidence())
        explained = sorted(set(self.outputs.flatten().tolist()))
        names = [self.names[column] for column in explained]
        grids = reference.for_maps(names, self.maps if reference.method else self._evidence())
        place = torch.searchsorted(torch.tensor(explained, device=self.outputs.device), self.outputs)
        return grids[place]

    def _evidence(self) -> Tensor:
        """The head's own evidence, of an explanation with a decomposition."""
        assert self.decomposition is not None
        return self.decomposition.evidence


AnyExplained = TypeVar("AnyExplained", bound=Explained)


def joined(parts: Sequence[AnyExplained]) -> AnyExplained:
    """Join the explanations of consecutive images by one explainer.

    Args:
        parts: At least one.
    """

    def cat(tensors: Sequence[Tensor | None]) -> Tensor | None:
        present = [tensor for tensor in tensors if tensor is not None]
        return torch.cat(present) if len(present) == len(tensors) else None

    def cat_field(name: str) -> Any:
        return cat([getattr(part, name) for part in parts])

    decompositions = [part.decomposition for part in parts if part.decomposition is not None]
    return replace(
        parts[0],
        **{name: cat_field(name) for name in _BY_IMAGE},
        grids={reading: joined_grids([part.grids[reading] for part in parts]) for reading in parts[0].grids},
        decomposition=Decomposition(
            evidence=torch.cat([part.evidence for part in decompositions]),
            prefix=torch.cat([part.prefix for part in decompositions]),
            bias=torch.cat([part.bias for part in decompositions]),
        )
        if len(decompositions) == len(parts)
        else None,
    )
