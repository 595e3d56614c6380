"""Occlusion: how much the logit falls when a cell of the image is hidden."""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.cam import Explainer
from bincam.cam.requests.inputs import check_images
from bincam.errors import InputError
from bincam.metrics.faithfulness.deletion_insertion import Baseline, make_baseline


def occlusion(explainer: Explainer, images: Tensor, grid: tuple[int, int], *, baseline: Baseline = "mean") -> Tensor:
    """Compute by how much each output's logit falls when one cell of the image is hidden.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", arXiv 1311.2901, section 4.2.
    Deviations: cells do not overlap, so that the map has the grid of another map to compare it with; a hidden cell gets
    the image's mean colour or its blur, where the paper has grey; the score is the logit. Nothing is drawn at random.
    Falls of cells that interact do not add up to the logit.

    Args:
        explainer: Of the model; its method and layer are not used.
        images: ``(B, C, H, W)``, as for the explainer.
        grid: ``(h, w)``: rows and columns of cells, which are as equal as whole pixels allow.
        baseline: Value of hidden pixels, as in ``deletion``.

    Returns:
        ``(B, A, h, w)``: z of the image less z without the cell, for the positive class, in logit units. The cost is
        h·w + 1 forward passes of the batch for any number of attributes.

    Raises:
        InputError: The grid has no cell, or more rows or columns than the image has pixels; the baseline is unknown; or
            the images contradict what the explainer was told.

    Example:
        A model that is the sum of all pixels, and an image with one bright cell:

        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> from bincam.metrics import occlusion
        >>> model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 1))
        >>> for weight in model.parameters():
        ...     _ = nn.init.ones_(weight)
        >>> image = torch.zeros(1, 1, 4, 4)
        >>> image[..., :2, :2] = 4
        >>> occlusion(Explainer(model), image, (2, 2))[0, 0]
        tensor([[ 0.7500, -0.2500],
                [-0.2500, -0.2500]])
    """
    check_images(images)
    rows, columns = (edges(cells, pixels) for cells, pixels in zip(grid, images.shape[-2:], strict=True))
    base = make_baseline(images, baseline)
    clean = explainer.logits(images)
    falls = torch.empty(*clean.shape, *grid, dtype=clean.dtype, device=clean.device)
    for i in range(grid[0]):
        for j in range(grid[1]):
            hidden = images.clone()
            at = ..., slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1])
            hidden[at] = base[at]
            falls[:, :, i, j] = clean - explainer.logits(hidden)
    return falls


def edges(cells: int, pixels: int) -> list[int]:
    """Divide the pixels of an axis into cells: where each begins, and where the last one ends.

    Raises:
        InputError: There is no cell, or one without a pixel.

    >>> edges(3, 8)
    [0, 2, 5, 8]
    """
    if not 1 <= cells <= pixels:
        raise InputError(f"a grid of {cells} cells along {pixels} pixels; expected 1 to {pixels} cells")
    return [cell * pixels // cells for cell in range(cells + 1)]
