"""The folded head: one weight and one constant that replace everything between pooled features and logits.

With v the pooled vector, an affine head is z = b + M v, and a head with a normalisation z = b + s(v) R v with s the
reciprocal of its statistic. b, M and R are computed from the logits and their gradients at a few values of v and must
predict the logits at others, of several sizes and both signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bincam.errors import UnsupportedError
from bincam.models.grids.token_grid import Layout
from bincam.models.head_structure.norm import Norm, candidates, norm_scale
from bincam.models.tracing.cut import Cut, Place
from bincam.models.tracing.trace import Call

_EPS = (0.0, 1e-12, 1e-8, 1e-6, 1e-5)
"""Values of eps that no argument states because they are defaults of the functions."""


@dataclass(frozen=True)
class Fold:
    """A folded head.

    Attributes:
        weight: ``(A, K)``.
        bias: ``(A,)``.
        norm: The normalisation, or None.
        open_stops: Whether its gradients pass ``detach``.
    """

    weight: Tensor
    bias: Tensor
    norm: Norm | None = None
    open_stops: bool = False


class Head:
    """A model's logits as a function of one tensor inside it.

    Args:
        model: In evaluation mode.
        images: ``(1, C, H, W)``.
        read: Conversion of the model's raw output to logits.
        place: Place of the tensor.
        value: The tensor's value for these images.
        logits: ``(1, A)``, of these images.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        read: Callable[[Any], Tensor],
        place: Place,
        value: Tensor,
        logits: Tensor,
    ) -> None:
        self._model, self._images, self._read, self._place = model, images, read, place
        self.value, self.logits = value.detach(), logits.detach()
        self._generator = torch.Generator().manual_seed(1)

    def at(self, value: Tensor | float) -> Tensor:
        """The logits ``(A,)`` where the tensor has another value."""
        return self._run(Cut(None, self._place, value=value))[0].detach()

    def rows(self, value: Tensor | float, *, open_stops: bool = False) -> tuple[Tensor, Tensor]:
        """The gradients ``(A, K)`` of the logits and the logits ``(A,)`` at a value."""
        cut = Cut(None, self._place, value=value, open_stops=open_stops)
        logits = self._run(cut)  # (1, A)
        assert cut.leaf is not None
        leaf = cut.leaf
        if not logits.requires_grad:
            return leaf.new_zeros(logits.shape[1], leaf.numel()), logits[0].detach()
        one_hot = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
        rows = [
            torch.autograd.grad(logits, leaf, unit[None], retain_graph=True, allow_unused=True)[0] for unit in one_hot
        ]
        rows = [torch.zeros_like(leaf) if row is None else row for row in rows]
        return torch.stack(rows).flatten(1), logits[0].detach()

    def _run(self, cut: Cut) -> Tensor:
        images = self._images.clone()  # the model may write to its input
        try:
            with torch.no_grad(), cut:
                return self._read(self._model(images))
        except RuntimeError as error:
            raise UnsupportedError(
                f"torch cannot differentiate the logits: {str(error).splitlines()[0].removesuffix('.')}; assign to the "
                "tensor of the logits itself, logits[:, i] = score, or join the scores with torch.cat"
            ) from error

    def tests(self, scales: Sequence[float], *, opposite: bool = False) -> list[tuple[Tensor, Tensor]]:
        """Random values of the tensor of some sizes, also with the other sign (``opposite``), and the logits there."""
        values = []
        for scale in scales:
            noise = torch.randn(self.value.shape, generator=self._generator, dtype=torch.float32)
            value = (noise * scale).to(self.value)
            values += [value, -value] if opposite else [value]
        return [(value, self.at(value)) for value in values]


class MeanHead:
    """A model's logits as a function of the mean of a grid, which several calls compute.

    Args:
        grid: The logits as a function of the grid.
        layout: Its axes.
    """

    def __init__(self, grid: Head, layout: Layout) -> None:
        self._grid, self._layout = grid, layout
        self.value, self.logits = cells_of(layout, grid.value).mean(-1), grid.logits  # (1, C)

    def at(self, value: Tensor | float) -> Tensor:
        """The logits ``(A,)`` where every cell has the same vector."""
        return self._grid.at(self._everywhere(value))

    def rows(self, value: Tensor | float, *, open_stops: bool = False) -> tuple[Tensor, Tensor]:
        """The gradients ``(A, C)`` of the logits and the logits ``(A,)`` where every cell has the same vector."""
        rows, logits = self._grid.rows(self._everywhere(value), open_stops=open_stops)
        return cells_of(self._layout, rows.unflatten(-1, self._grid.value.shape[1:])).sum(-1), logits

    def tests(self, scales: Sequence[float], *, opposite: bool = False) -> list[tuple[Tensor, Tensor]]:
        """Random vectors, as of ``Head.tests``."""
        grids = self._grid.tests(scales, opposite=opposite)
        return [(cells_of(self._layout, value).mean(-1), logits) for value, logits in grids]

    def _everywhere(self, value: Tensor | float) -> Tensor:
        if not isinstance(value, Tensor):
            return torch.full_like(self._grid.value, value)
        axes = self._grid.value.ndim - 2
        spread = value.reshape(1, -1, *[1] * axes)
        if self._layout.order in ("NHWC", "NLC"):
            spread = spread.movedim(1, -1)
        return spread.expand(self._grid.value.shape)


def cells_of(layout: Layout, tensor: Tensor) -> Tensor:
    """Values ``(..., C, tokens without a position + cells)``."""
    return torch.cat([layout.prefix_of(tensor).transpose(-1, -2), layout.grid_of(tensor).flatten(-2)], -1)


def _error(fold: Fold, value: Tensor, logits: Tensor, *, inverse: bool = False) -> float:
    """The largest error of a fold's logits at a value, in units of what float32 permits.

    Args:
        fold: The fold.
        value: The tensor's value.
        logits: ``(A,)``, the model's; entries that are not finite are not compared.
        inverse: The logits are taken back from probabilities, which are rounded to float32 near 1.
    """
    vector = value.flatten(1)
    scaled = vector * norm_scale(vector, fold.norm)
    predicted = (fold.bias + scaled @ fold.weight.T)[0]
    size = (scaled.abs() @ fold.weight.abs().T + fold.bias.abs())[0]
    rounding = max(1e-4, 8 * torch.finfo(logits.dtype).eps)  # of a model that demands half precision
    allowed = rounding * size + 1e-6
    if inverse:
        allowed = allowed + 4 * torch.finfo(torch.float32).eps * logits.abs().clamp(max=40).exp()
    error = ((predicted - logits).abs() / allowed)[logits.isfinite()].nan_to_num(nan=torch.inf)
    return float(error.max()) if error.numel() else 0.0


def fold_affine(head: Head | MeanHead, tests: Sequence[tuple[Tensor, Tensor]], *, inverse: bool = False) -> Fold | None:
    """Fold an affine head, and check it at the model's own features and at others.

    Args:
        head: The head.
        tests: Values of the head's tensor with the model's logits ``(A,)`` there.
        inverse: as in ``_error``.

    Returns:
        The fold; None if the head is not affine.
    """
    tests = [(head.value, head.logits[0]), *tests]
    if not bool(torch.stack([logits.isfinite() for _, logits in tests]).sum(0).ge(2).all()):
        return None  # a softmax that underflows in all of them says nothing
    for open_stops in (False, True):
        weight, bias = head.rows(0.0, open_stops=open_stops)
        fold = Fold(weight, bias, open_stops=open_stops)
        if all(_error(fold, value, logits, inverse=inverse) <= 1 for value, logits in tests):
            return fold
    return None


def fold_normalised(
    head: Head | MeanHead, calls: Sequence[Call], tests: Sequence[tuple[Tensor, Tensor]] = ()
) -> Fold | None:
    """Fold a head with one normalisation of the vector.

    The gradient of z = b + s R v is s R + (R v) ∇sᵀ with R v = (z - b) / s, and b is the mean of the logits at v and
    -v, because s is even.

    Args:
        head: The head; its tensor is the pooled vector, which the normalisation reads up to its shape.
        calls: The calls after the pooling, whose arguments state eps.
        tests: Further values of the tensor with the logits ``(A,)`` there.

    Returns:
        The fold whose statistic fits best; None if none does.
    """
    vector = head.value.flatten(1)
    tests = [(head.value, head.logits[0]), *head.tests((3.0, 0.003, 0.1)), *tests]
    opposite = head.at(-head.value)
    best: tuple[float, Fold] | None = None
    for open_stops in (False, True):
        slopes, logits = head.rows(head.value, open_stops=open_stops)
        bias = (logits + opposite) / 2
        for norm in candidates(_eps(calls)):
            leaf = vector.clone().requires_grad_()
            with torch.enable_grad():
                scale = norm_scale(leaf, norm)
                (change,) = torch.autograd.grad(scale, leaf)
            s = scale.detach()
            weight = (slopes - ((logits - bias) / s[0])[:, None] * change) / s
            fold = Fold(weight, bias, norm, open_stops)
            error = max(_error(fold, value, result) for value, result in tests)
            if error <= 1 and (best is None or error < best[0]):
                best = error, fold
        if best is not None:
            return best[1]
    return None


def _eps(calls: Sequence[Call]) -> list[float]:
    stated = {
        float(argument)
        for call in calls
        for argument in (*call.args, *call.kwargs.values())
        if isinstance(argument, float) and 0 <= argument < 0.1
    }
    finest = {torch.finfo(call.output.dtype).eps for call in calls if call.output.is_floating_point()}
    return sorted(stated | finest | set(_EPS))


def mean_weight(weight: Tensor, layout: Layout) -> Tensor | None:
    """Convert weights that are the same in every cell to those of the mean.

    Args:
        weight: ``(A, *layout without batch)``.
        layout: The grid's axes.

    Returns:
        ``(A, C)``; None if the weights differ between cells, or between cells and tokens without a position.
    """
    cells = cells_of(layout, weight)
    mean = cells.mean(-1, keepdim=True)
    uniform = (cells - mean).abs() <= 1e-5 * cells.abs().amax((-1, -2), keepdim=True)
    return cells.sum(-1) if bool(uniform.all()) else None
