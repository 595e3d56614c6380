"""Numerical proof that the cells of a grid are places in the image.

The gradient of one cell's features with respect to the image shows where in the image the cell looks. A grid is
confirmed if cells look at their own places more than at others, relative to what the other cells look at. The
comparison is a rank and needs no assumption about receptive fields: 1 where every cell prefers its own place, 0.5 where
the order of cells has nothing to do with the image. *Ours.*

Where a receptive field covers the whole image and weights are random, cells of a true grid may prefer any place by a
little. A grid that follows from the calls of the model is therefore rejected only if cells look at other places many
times as much as at their own; a grid that is merely assumed must be confirmed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bincam.models.layers import Layer
from bincam.models.tracing.trace import call_name, tensors_in

CONFIRMED = 0.7
"""Least agreement that confirms a grid. Chance is 0.5, with a standard deviation of 0.12 for six cells."""
CONTRADICTED = (0.9, 4.0)
"""Agreement below which, and contrast above which, a traced grid is rejected."""
CELLS = 6
"""Cells that are tried, unless the grid has fewer."""
_BINS = 16
"""Most rows and columns in which places are told apart."""
_FLOOR = 1e-6
"""Energies below this fraction of a cell's largest count as none."""


@dataclass(frozen=True)
class Proof:
    """Measurement of one layer's claimed grid.

    Attributes:
        agreement: Mean over cells of the share of other places at which the cell looks less than at its own, in [0, 1];
            NaN where it cannot be measured: one cell, no gradient, or cells that respond to nothing.
        contrast: Mean over cells of the logarithm by which the place at which the cell looks most exceeds its own; 0 if
            each looks most at its own.
        reaches: Whether the logits depend on the grid.
        traced: Whether the layer's layout follows from the calls of the model.
    """

    agreement: float
    contrast: float
    reaches: bool
    traced: bool

    @property
    def holds(self) -> bool:
        """True if the claim may be made."""
        if not self.traced:
            return self.agreement >= CONFIRMED  # False for NaN
        return not (self.agreement < CONTRADICTED[0] and self.contrast > CONTRADICTED[1])


class _Watch(TorchFunctionMode):
    """Keep the tensors at some places of a pass, on a graph from the images to the logits."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self._count = 0
        self._watched: dict[tuple[int, str], list[int]] = {}
        self._names = {layer.place.call: layer.place.name for layer in layers}
        for number, layer in enumerate(layers):
            self._watched.setdefault((layer.place.call, layer.place.end), []).append(number)
        self.tensors: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        index = self._count
        self._count += 1
        expected = self._names.get(index) == call_name(func)
        with torch.enable_grad():  # also inside of a model's own no_grad
            if expected:
                self._keep((index, "input"), (args, kwargs))
            result = func(*args, **(kwargs or {}))
            if expected and isinstance(result, Tensor) and (index, "output") in self._watched:
                result = result.clone()  # later calls may write in place
                self._keep((index, "output"), result)
                return result.clone()
        return result

    def _keep(self, place: tuple[int, str], values: Any) -> None:
        for number in self._watched.get(place, ()):
            self.tensors[number] = tensors_in(values)[0]


def prove(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], layers: Sequence[Layer], *, logits: bool = True
) -> list[Proof]:
    """Measure how well the cells of layers look at their own places, in one pass and a few backward passes.

    Args:
        model: In evaluation mode.
        images: ``(1, C, H, W)``, random: what is the same everywhere would leave units dead.
        read: Function from the model's return value to logits.
        layers: The layers; their layouts are the claims.
        logits: Also measure whether the logits depend on them.
    """
    scores = None
    with torch.enable_grad(), suppress(RuntimeError):  # a call without a derivative, such as one with out=
        leaf = images.detach().clone().requires_grad_()
        watch = _Watch(layers)
        copy = leaf * 1  # a model may write into its input
        with watch:
            raw = model(copy)
        scores = read(raw) if logits else None
    proofs = []
    for number, layer in enumerate(layers):
        tensor = watch.tensors.get(number)
        agreement, contrast, reaches = math.nan, math.nan, False
        if tensor is not None:
            with suppress(RuntimeError):  # a call without a derivative
                agreement, contrast = _agreement(leaf, layer, tensor)
            with suppress(RuntimeError):
                reaches = scores is not None and _reaches(scores, tensor, layer)
        # Without a derivative (quantised layers) nothing can be measured; the axes of a map then stand for its grid.
        stands = layer.layout.traced or (math.isnan(agreement) and layer.layout.order in ("NCHW", "NHWC"))
        proofs.append(Proof(agreement, contrast, reaches, stands))
    return proofs


def _reaches(scores: Tensor, tensor: Tensor, layer: Layer) -> bool:
    if not tensor.requires_grad or not scores.requires_grad:
        return False
    signs = torch.randn(scores.shape, generator=torch.Generator().manual_seed(0)).to(scores)
    with torch.enable_grad():
        total = (scores * signs).sum()
    gradients: Sequence[Tensor | None] = torch.autograd.grad(total, tensor, retain_graph=True, allow_unused=True)
    return gradients[0] is not None and bool(layer.layout.grid_of(gradients[0]).any())


def _agreement(leaf: Tensor, layer: Layer, tensor: Tensor) -> tuple[float, float]:
    h, w = layer.layout.grid
    if h * w < 2 or not tensor.requires_grad:
        return math.nan, math.nan
    with torch.enable_grad():
        grid = layer.layout.grid_of(tensor)[0].float()  # (C, h, w)
        direction = torch.randn(grid.shape[0], generator=torch.Generator().manual_seed(0)).to(grid)
        scores = [row.unbind() for row in torch.einsum("chw,c->hw", grid, direction).unbind()]
    bins = (min(h, _BINS, leaf.shape[2]), min(w, _BINS, leaf.shape[3]))
    energies, own = [], []
    for i, j in _spread((h, w)):
        gradients: Sequence[Tensor | None] = torch.autograd.grad(
            scores[i][j], leaf, retain_graph=True, allow_unused=True
        )
        if (gradient := gradients[0]) is None:
            return math.nan, math.nan
        square = gradient.double().square().sum((0, 1))[None, None]
        energy = nn.functional.adaptive_avg_pool2d(square, bins).flatten()
        if bool(energy.isfinite().all()) and float(energy.max()) > 0:
            energies.append((energy / energy.max()).clamp_min(_FLOOR).log())
            own.append(int((i + 0.5) / h * bins[0]) * bins[1] + int((j + 0.5) / w * bins[1]))
        if len(own) == CELLS:
            break
    return ranks(torch.stack(energies), own) if len(set(own)) > 1 else (math.nan, math.nan)


def ranks(energies: Tensor, own: Sequence[int]) -> tuple[float, float]:
    """Compare the response of cells to their own places with that to others.

    Args:
        energies: ``(n, places)``, logarithms of the response of n cells.
        own: The own place of each cell.

    Returns:
        The agreement and the contrast, see ``Proof``.

    Example:
        >>> import torch
        >>> from bincam.models.grids.placement import ranks
        >>> ranks(torch.eye(3), [0, 1, 2]), ranks(5 * torch.eye(3), [1, 2, 0])
        ((1.0, 0.0), (0.25, 5.0))
    """
    relative = energies - energies.mean(0)
    mine = relative[torch.arange(len(own)), list(own)][:, None]
    below = (relative < mine).double().sum(1) + ((relative == mine).double().sum(1) - 1) / 2
    excess = relative.amax(1, keepdim=True) - mine
    return float((below / (energies.shape[1] - 1)).mean()), float(excess.mean())


def _spread(grid: tuple[int, int]) -> list[tuple[int, int]]:
    """Cells in an order in which the first few cover different rows and columns, then as many others."""
    h, w = grid
    if h * w <= CELLS:
        return [(i, j) for i in range(h) for j in range(w)]
    numbers = range(CELLS)
    first = [(int((n + 0.5) / CELLS * h), int(((3 * n + 1) % CELLS + 0.5) / CELLS * w)) for n in numbers]
    later = [(int((n + 0.5) / CELLS * h), int(((5 * n + 2) % CELLS + 0.5) / CELLS * w)) for n in numbers]
    return list(dict.fromkeys([*first, *later]))
