"""Raw scores of every output in every cell, from the tensors that a head pools."""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.cam.decompose import decompose, pooled_features
from bincam.cam.prediction_grid.grid import Reading
from bincam.errors import UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.head_structure.norm import norm_scale

ONE_CELL = "there is no prediction grid: the head pools a single cell at this input size; larger images give it more"
NOT_THIS: dict[Reading, str] = {
    "frozen": "no frozen prediction grid: {reason}; only mean-pooled and flattened heads decompose into the scores of "
    "cells, so ask for the pointwise reading",
    "pointwise": "no prediction grid of single cells: the head cannot be applied to one cell; {reason}",
}
"""Why a head does not have a reading."""
FROZEN_POOLINGS = ("mean", "flatten")
"""Poolings whose heads decompose into the scores of cells."""


def cell_scores(anatomy: Anatomy, kept: tuple[Tensor, ...], reading: Reading) -> Tensor:
    """Compute the raw scores of every output in every cell.

    Args:
        anatomy: Of the model.
        kept: Tensors that the pooling reads.
        reading: ``frozen``, for a head that decomposes, or ``pointwise``, for one that can be applied to a cell.

    Returns:
        ``(B, all outputs, h, w)``.

    Example:
        A head that normalises the mean of two cells: frozen, the cells share the mean's statistic; pointwise, each is
        normalised by its own.

        >>> import torch
        >>> from torch import nn
        >>> from bincam.cam.prediction_grid.cells import cell_scores
        >>> from bincam.models import resolve
        >>> _ = torch.manual_seed(0)
        >>> body, norm = nn.Conv2d(3, 4, 1), nn.LayerNorm(4)
        >>> head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), norm, nn.Linear(4, 1))
        >>> model = nn.Sequential(body, head).requires_grad_(False)
        >>> images = torch.randn(1, 3, 1, 2)
        >>> anatomy = resolve(model, images, lambda output: output)
        >>> frozen, pointwise = (cell_scores(anatomy, (body(images),), r) for r in ("frozen", "pointwise"))
        >>> torch.allclose(frozen.mean((2, 3)), model(images), atol=1e-6)
        True
        >>> torch.allclose(pointwise[..., :1].mean((2, 3)), model(images[..., :1]), atol=1e-6)
        True
    """
    if reading == "frozen":
        assert anatomy.weight is not None
        every = torch.arange(len(anatomy.weight), device=anatomy.weight.device)
        terms = decompose(anatomy, kept, every)
        return from_terms(terms.evidence, terms.prefix + terms.bias)
    head = anatomy.cell_head
    assert head is not None
    features, _, _ = pooled_features(anatomy, kept)
    cells = features.flatten(2).transpose(1, 2)  # (B, n, C)
    scores = cells @ head.weight.to(cells).T
    if head.norm is not None:
        scale = norm_scale(cells.reshape(-1, cells.shape[-1]), head.norm)
        scores = scores * scale.view(*cells.shape[:2], 1)
    scores = scores + head.bias.to(cells)
    return scores.transpose(1, 2).reshape(*scores.shape[:1], -1, *features.shape[-2:])


def readings(anatomy: Anatomy) -> tuple[Reading, ...]:
    """List the readings that a head permits, the default first; none without a grid of several cells.

    >>> from bincam import models
    >>> model = models.build("resnet10t", ["Bald"], pooling="max", input_size=(64, 64))
    >>> readings(models.resolve(model, torch.zeros(1, 3, 64, 64), read=lambda logits: logits))
    ('pointwise',)
    """
    if anatomy.pooled is None or anatomy.pooled.layout.grid == (1, 1):
        return ()
    frozen: tuple[Reading, ...] = ("frozen",) if anatomy.decomposes and anatomy.pooling in FROZEN_POOLINGS else ()
    return (*frozen, "pointwise") if anatomy.cell_head is not None else frozen


def refuse_no_grid(anatomy: Anatomy, reading: Reading | None = None) -> None:
    """Refuse a model whose head has no prediction grid at this input size, or not in this reading.

    Args:
        anatomy: Of the model.
        reading: The one that is asked for; None for any.

    Raises:
        UnsupportedError: It pools a single cell or no grid, cannot be applied to a cell, or does not decompose.
    """
    permitted = readings(anatomy)
    if permitted and reading in (None, *permitted):
        return
    if permitted:
        raise UnsupportedError(NOT_THIS[reading or "frozen"].format(reason=anatomy.reason))
    if anatomy.pooled is not None and anatomy.pooled.layout.grid == (1, 1):
        raise UnsupportedError(ONE_CELL)
    raise UnsupportedError(NOT_THIS["pointwise"].format(reason=anatomy.reason))


def from_terms(evidence: Tensor, constant: Tensor) -> Tensor:
    """Compute n S + c.

    Args:
        evidence: S, ``(B, A, h, w)``.
        constant: c, ``(B, A)``.

    Returns:
        ``(B, A, h, w)``.

    >>> from_terms(torch.tensor([[[[1.0, -0.5]]]]), torch.tensor([[0.25]]))
    tensor([[[[ 2.2500, -0.7500]]]])
    """
    return evidence * (evidence.shape[-2] * evidence.shape[-1]) + constant[..., None, None]
