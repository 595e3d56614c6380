"""What the other cells say once the object is hidden: do they see it through their receptive field, or its context?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.pipeline.cells.plan import CellPlan
from bincam.audit.pipeline.measure import ones
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import MaskProjector, projected
from bincam.audit.summary.cells.hidden import BEFORE, FILLS
from bincam.data import AttributeTable
from bincam.data.dataset import Crop
from bincam.data.regions.shapes import Mask
from bincam.metrics.faithfulness.road import impute
from bincam.metrics.localization.cells.foreground import Foreground, foreground
from bincam.metrics.localization.cells.sides import cell_shares
from bincam.progress import track

IMAGES_AT_A_TIME = 4


@dataclass(frozen=True)
class DrawnMasks:
    """Draws each attribute's own mask in the process that reads the image, for ``bincam.data.loader(also=...)``.

    Attributes:
        cells: Which mask is an attribute's own.
        projector: Of the images, with the sources that differ from image to image.
        fixed: Regions that are the same in every image, by attribute.
    """

    cells: CellPlan
    projector: MaskProjector
    fixed: Mapping[str, Mask | None]

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Return ``pixels`` ``(A, H, W)``, 1 inside, and ``drawn`` ``(A,)``, 1 where there is a mask."""
        names, size = self.projector.table.names, self.projector.size
        pixels, drawn = np.zeros((len(names), *size), np.uint8), np.zeros(len(names), np.uint8)
        found: dict[str, list[Mask | None]] = {}
        for a, name in enumerate(names):
            kind = self.cells.masks.get(name)
            if kind is None:
                continue
            if kind in self.projector.sources and kind not in found:
                found[kind] = self.projector.masks(kind, crop)
            mask = found[kind][a] if kind in found else self.fixed.get(name)
            if mask is not None:
                pixels[a], drawn[a] = mask, 1
        return {"pixels": pixels, "drawn": drawn}


def hide_objects(plan: Plan, sample: AttributeTable, rows: Tensor) -> dict[str, Any]:
    """Fill the objects of the images with an attribute, each by itself, and ask the other cells again.

    Args:
        plan: Of an audit with a prediction grid.
        sample: Images of the plan's table.
        rows: Their rows in it.

    Returns:
        ``rows`` of the images that could be read; and by attribute, with a value for each of them, the share of the
        background's cells that say yes: ``before``, and with the fills of ``FILLS``. NaN without the attribute or a
        foreground.
    """
    cells = plan.cells
    assert cells is not None
    size = plan.model.card.input_size
    projector = MaskProjector(sample, size, plan.mask_grids, plan.sources)
    fixed: dict[str, Mask | None] = {}
    if plan.regions is not None and not plan.moving:
        fixed = dict(zip(sample.names, plan.regions.masks(sample.names, size), strict=True))
    batches = plan.loader(sample, batch_size=IMAGES_AT_A_TIME, also=DrawnMasks(cells, projector, fixed))
    read: list[int] = []
    parts: dict[str, list[Tensor]] = {name: [] for name in (BEFORE, *FILLS)}
    for batch in track(batches, "hidden objects", total=len(sample), unit="images", amount=len):
        read += rows[batch.rows].tolist()
        own = [sample.names.index(name) for name in cells.rows]
        pixels = batch.also["pixels"][:, own].bool()
        masks = _foreground(pixels, batch.also["drawn"][:, own].bool(), cells, size)
        labels = batch.labels[:, own]
        has = (labels == 1) & masks.defined
        outside = _outside(plan, batch.images, batch.labels, masks)
        parts[BEFORE].append(torch.where(has, outside, torch.nan))
        for fill in FILLS:
            parts[fill].append(_filled(plan, batch.images, batch.labels, pixels, masks, has, fill))
    joined = {name: torch.cat(values) for name, values in parts.items()} if read else {}
    return {
        "rows": read,
        "attributes": {
            name: {part: values[:, a].double() for part, values in joined.items()} for a, name in enumerate(cells.rows)
        },
    }


def _foreground(pixels: Tensor, drawn: Tensor, cells: CellPlan, size: tuple[int, int]) -> Foreground:
    weights = np.stack(
        [
            projected([mask if there else None for mask, there in zip(image, known, strict=True)], cells.shape)
            for image, known in zip(pixels.numpy(), drawn.numpy(), strict=True)
        ]
    )
    return foreground(torch.from_numpy(weights), ones(cells.shape, size))


def _outside(plan: Plan, images: Tensor, labels: Tensor, masks: Foreground) -> Tensor:
    """Share of the background's cells that say yes, ``(B, A)``."""
    grid = plan.any_explainer(images, plan.settings.side, labels).grid()
    return cell_shares(grid.yes, masks).outside.cpu()


def _filled(
    plan: Plan, images: Tensor, labels: Tensor, pixels: Tensor, masks: Foreground, has: Tensor, fill: str
) -> Tensor:
    """The same with the object of one attribute at a time filled."""
    result = torch.full(has.shape, torch.nan)
    pairs = has.nonzero()
    for start in range(0, len(pairs), 2 * IMAGES_AT_A_TIME):
        at, own = pairs[start : start + 2 * IMAGES_AT_A_TIME].unbind(1)
        holes = pixels[at, own]
        changed = impute(images[at], holes, seed=plan.settings.seed) if fill == "imputed" else _mean(images[at], holes)
        outside = _outside(plan, changed, labels[at], masks[at])
        result[at, own] = outside[torch.arange(len(at)), own].float()
    return result


def _mean(images: Tensor, holes: Tensor) -> Tensor:
    """Give each hole the mean colour of the rest of its image."""
    rest = (~holes)[:, None].to(images)
    mean = (images * rest).sum((-2, -1)) / rest.sum((-2, -1))
    return torch.where(holes[:, None], mean[..., None, None], images)
