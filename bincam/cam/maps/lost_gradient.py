"""Gradients of zero that are not the truth: the graph ends between the explained tensor and the logits.

A quantised layer, an operation without a derivative or a detached tensor gives a gradient of zero although the logits
depend on the tensor. A small change of the tensor shows whether they do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.cam.maps.evidence import Pass
from bincam.cam.maps.gradients import choose_chunk, gradients
from bincam.cam.model.borrowed_model import BorrowedModel, Start
from bincam.cam.requests.combination import Combination
from bincam.models.anatomy import Anatomy

_CHANGE = 1e-3
"""Size of the change, relative to the tensor's root mean square."""
_ROUNDING = 1e-5


def lost_gradients(
    model: BorrowedModel, batch: Tensor, anatomy: Anatomy, start: Start, passed: Pass, columns: Combination
) -> list[str] | None:
    """Determine whether gradients of zero are lost.

    Args:
        model: The model.
        batch: ``(B, C, H, W)``, from ``running``.
        anatomy: Of the model.
        start: The tensor from which the gradients start.
        passed: The pass with that tensor.
        columns: The explained combinations whose maps are zero for every image.

    Returns:
        The names of the calls at which a graph was lost (there may be none that is known); None if no gradient is lost:
        it is not zero, or the logits do not depend on the tensor.
    """
    assert passed.leaf is not None
    leaf = passed.leaf.detach()
    chunk = choose_chunk(leaf, len(columns.owners), None)
    blocks = gradients(passed.scores, passed.leaf, columns, chunk)
    zero = torch.cat([~rows.flatten(2).any(-1).any(0) for _, rows in blocks])  # (columns,)
    if not bool(zero.any()):
        return None
    noise = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(2)).to(leaf)
    changed = leaf + _CHANGE * leaf.square().mean().sqrt() * noise
    place = anatomy.vector if start == "vector" else anatomy.layer.place
    scores, cut = model.cut_pass(batch, None, place, changed, open_stops=anatomy.open_stops, watch=True, checked=False)
    before, after = passed.scores.detach(), scores.detach()
    size, change = columns.apply(before).abs(), columns.apply(after) - columns.apply(before)
    moved = change.abs() > _ROUNDING * _CHANGE * size.amax(0)
    return cut.lost if bool((zero & moved.any(0)).any()) else None
