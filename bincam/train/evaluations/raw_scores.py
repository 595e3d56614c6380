"""The scores that losses and metrics of a run read: logits of attributes, raw scores of the outputs of sets.

This is the only place in which training calls a model, so it does not depend on what a classifier returns for sets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.models import AttributeClassifier


def raw_scores(model: AttributeClassifier, images: Tensor) -> Tensor:
    """Compute ``(B, A)``: z of yes-or-no attributes, and r, before any softmax, of the outputs of sets.

    Of a model with a second head for label sets the logits of that head follow, ``(B, A + S)``, one for each of the S
    outputs in sets. What reads columns by the card's outputs does not notice.

    Args:
        model: The classifier.
        images: ``(B, C, H, W)``.

    Example:
        >>> import torch
        >>> from bincam.models import build
        >>> model = build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64)).eval()
        >>> bool((raw_scores(model, images := torch.rand(1, 3, 64, 64)) == model(images)).all())
        True
    """
    card = getattr(model, "card", None)  # any module that returns logits is taken
    if card is None or not card.one_of:
        logits: Tensor = model(images)
        return logits
    scores, of_sets = model.both_scores(images)
    return scores if of_sets is None else torch.cat([scores, of_sets], 1)
