"""The second head of a model for label sets: its logits, which decide nothing and are stored beside the raw scores."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.cam import PlacedViews
from bincam.cam.views.mean import mean_scores
from bincam.inference.borrowed_classifier import borrowed
from bincam.models import AttributeClassifier, Card
from bincam.one_of import Sets


def has_second_head(card: Card, one_of: Sets) -> bool:
    """Return True if a model has another head for the label sets of audited sets."""
    return card.set_output is not None and bool(one_of)


def second_head_logits(
    model: AttributeClassifier, images: Tensor | PlacedViews, one_of: Sets, batch_size: int | None
) -> NDArray[np.float32]:
    """Run the model once more, and return the logits of its second head, ``(B, outputs of all sets)``.

    In full precision, whatever that of the maps is, as ``model.set_scores`` computes them.

    Args:
        model: The model, whose card names a ``set_output``.
        images: ``(B, C, H, W)``, or views of B images, whose mean is meant.
        one_of: The audited sets; their outputs are the columns, set after set.
        batch_size: Views per pass; None for all.
    """
    card = model.card
    place = {
        card.attributes[column]: at
        for name, columns in card.set_columns.items()
        for column, at in zip(columns, card.set_output_columns[name], strict=True)
    }
    order = [place[output] for members in one_of.values() for output in members]
    with borrowed(model, second_head=True) as logits:
        whole = mean_scores(images, logits, batch_size) if isinstance(images, PlacedViews) else logits(images)
    found: NDArray[np.float32] = whole[:, order].to(torch.float32).numpy(force=True)
    return np.ascontiguousarray(found)
