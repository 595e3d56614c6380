"""The last features of a timm backbone as a grid ``(B, C, h, w)``, whatever axes they have."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from bincam.errors import InputError
from bincam.models.borrowing.borrow import evaluating
from bincam.models.grids.layout import feature_layout
from bincam.models.grids.token_grid import Layout

_RAISED_BY_MODELS = (AttributeError, RuntimeError, AssertionError, ValueError, TypeError, IndexError)


@dataclass(frozen=True)
class GridFeatures:
    """Where a backbone's features are found.

    ``grid_features`` makes it.

    Attributes:
        layout: Axes of what ``forward_features`` returns; None for the last grid of ``forward_intermediates``.
        width: C.
        built_for: The image size ``(H, W)`` of the layout.
    """

    layout: Layout | None
    width: int
    built_for: tuple[int, int]

    def of(self, backbone: nn.Module, images: Tensor) -> Tensor:
        """Compute the features of images.

        Args:
            backbone: The timm model.
            images: ``(B, channels, H, W)``.

        Returns:
            ``(B, C, h, w)``.

        Raises:
            InputError: The number of tokens fits no grid of images of this size.
        """
        if self.layout is None:
            return _last_grid(backbone, images)
        timm_model: Any = backbone  # has more than nn.Module promises
        features: Tensor = timm_model.forward_features(images)
        size = (int(images.shape[2]), int(images.shape[3]))
        return _at_size(self.layout, self.built_for, size, features, type(backbone).__name__).grid_of(features)


def grid_features(backbone: nn.Module, input_size: tuple[int, int], channels: int) -> GridFeatures:
    """Find a backbone's last features with a grid by one forward pass.

    These are what ``forward_features`` returns, if it is one tensor with a grid. Otherwise (class tokens alone, several
    branches) they are the last grid of timm's ``forward_intermediates``, to which the backbone's own last norm is not
    applied.

    Args:
        backbone: The timm model.
        input_size: ``(H, W)``.
        channels: Number of image channels.

    Returns:
        The source of the features, and their number of channels.

    Raises:
        InputError: The backbone does not take images of this size, or has no features with a grid.
    """
    timm_model: Any = backbone
    images = torch.zeros(1, channels, *input_size)
    width = int(timm_model.num_features)
    built_for = (int(input_size[0]), int(input_size[1]))
    with torch.no_grad(), evaluating(backbone):
        try:
            features = timm_model.forward_features(images)
        except _RAISED_BY_MODELS as error:
            raise InputError(_size_refused(timm_model, input_size, error)) from None
        try:
            return GridFeatures(feature_layout(backbone, images, width), width, built_for)
        except InputError as error:
            no_grid = _no_grid(backbone, features, error)
        try:
            last = _last_grid(backbone, images)
        except _RAISED_BY_MODELS:
            raise InputError(no_grid) from None
    return GridFeatures(None, int(last.shape[1]), built_for)


def _last_grid(backbone: nn.Module, images: Tensor) -> Tensor:
    timm_model: Any = backbone
    grids: list[Tensor] = timm_model.forward_intermediates(
        images, indices=1, intermediates_only=True, output_fmt="NCHW"
    )
    return grids[-1]


def _at_size(layout: Layout, built_for: tuple[int, int], size: tuple[int, int], features: Tensor, name: str) -> Layout:
    """The layout of the features of images of another size, from the backbone's stride."""
    if size == built_for or (layout.order in ("NCHW", "NHWC") and layout.cells is None):
        return layout
    tokens = int(features.shape[1])
    down, across = (pixels / cells for pixels, cells in zip(built_for, layout.grid, strict=True))
    for rounded in (math.floor, math.ceil):
        grid = (rounded(size[0] / down), rounded(size[1] / across))
        if layout.cells is None and layout.prefix + grid[0] * grid[1] + layout.suffix == tokens:
            return replace(layout, grid=grid)
    raise InputError(
        f"{name} returns {tokens} tokens for images of {size[0]} x {size[1]} pixels, which fit no grid like that of "
        f"{built_for[0]} x {built_for[1]}; choose another backbone or size"
    )


def _no_grid(backbone: nn.Module, features: Any, error: InputError) -> str:
    advice = "explain the complete timm model with its own head, Explainer(timm.create_model(...))"
    if isinstance(features, Tensor):
        return f"{error}, or {advice}"
    tensors = features if isinstance(features, (list, tuple)) else ()
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors if isinstance(tensor, Tensor))
    got = f"{len(tensors)} tensors ({shapes})" if shapes else f"a {type(features).__name__}"
    return (
        f"{type(backbone).__name__} returns {got}, which is not a grid, and no intermediate features; choose another "
        f"backbone, or {advice}"
    )


def _size_refused(timm_model: Any, size: tuple[int, int], error: Exception) -> str:
    own = (getattr(timm_model, "default_cfg", None) or {}).get("input_size")
    hint = f"; its own size is input_size=({own[1]}, {own[2]})" if own else ""
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{type(timm_model).__name__} does not take images of {size[0]} x {size[1]} pixels ({cause}){hint}"
