"""The operations between the explained features and the logits, and the claims that they permit.

================ ============================================= ==================================================
kind             order                                         claim
================ ============================================= ==================================================
exact            pool → affine layers                          z = bias + ΣS to float precision
conditional      mean → LayerNorm, RMSNorm or division by the  the same with this image's own statistics, or its own
                 length → affine layers; attention pooling →   attention weights, fixed
                 affine layers
diagnostic       anything else (an MLP after pooling, a class  none; the gap is measured for every image
                 token, log-sum-exp pooling, poolings of
                 cell scores)
================ ============================================= ==================================================

The order is read off the calls. Affinity and normalisations are proved by numbers (``affinity``, ``fold``), so that it
does not matter how a head is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bincam.models.head_structure.fold import Fold
from bincam.models.head_structure.norm import Norm
from bincam.models.layers import Layer
from bincam.models.tracing.cut import Place

Kind = Literal["exact", "conditional", "diagnostic"]


@dataclass(frozen=True)
class Anatomy:
    """Structure of a model's head: kind, explained layer, and the folded head.

    ``resolve`` makes it.

    Attributes:
        kind: The claim that the structure permits.
        reason: Reason for the kind, as text.
        pooling: ``mean``, ``max``, ``logsumexp``, ``attention``, ``top``, ``noisy_or``, ``pcam``, ``flatten``,
            ``token``, ``mixed`` or ``other``. Of ``top``, ``noisy_or`` and ``pcam`` the pooled tensor is the head's
            score of every cell.
        layer: The tensor that is explained.
        pooled: The tensor that the head pools, as its pooling reads it; None if it was not found.
        at_pooled: Whether ``layer`` and ``pooled`` are the same tensor.
        vector: Place of the pooled vector, or None.
        weight: ``(A, C)``, or ``(A, C, h, w)`` for ``flatten``: the folded head, for exact and conditional kinds. For a
            head with a normalisation it includes the scale γ and, with centring, has its mean over C removed.
        bias: ``(A,)``: the folded constant.
        norm: The normalisation whose statistics are fixed, or None.
        rectified: Whether the explained tensor is the input of a ReLU-like activation whose output is pooled.
        pre_activation: Whether ``layer`` is that input.
        open_stops: Whether gradients have to pass ``detach`` to reach the logits.
        behind: The affine head behind a pooling that is not linear, with which cells can be read; it says nothing of
            the logits. None elsewhere.

    Example:
        >>> import torch
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Bald"], pooling="attention", input_size=(64, 64))
        >>> anatomy = models.resolve(model, torch.zeros(1, 3, 64, 64), read=lambda logits: logits)
        >>> anatomy.kind, anatomy.pooling, tuple(anatomy.weight.shape)
        ('conditional', 'attention', (1, 512))
    """

    kind: Kind
    reason: str
    pooling: str
    layer: Layer
    pooled: Layer | None = None
    at_pooled: bool = False
    vector: Place | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    norm: Norm | None = None
    rectified: bool = False
    pre_activation: bool = False
    open_stops: bool = False
    behind: Fold | None = None

    @property
    def cell_head(self) -> Fold | None:
        """The head of a pooled vector, which can be applied to the vector of one cell; None where it was not folded."""
        if self.weight is None or self.bias is None or self.pooling == "flatten":
            return self.behind
        return Fold(self.weight, self.bias, self.norm, self.open_stops)

    @property
    def decomposes(self) -> bool:
        """True if the head determines the contribution of every cell."""
        return self.weight is not None
