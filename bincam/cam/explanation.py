"""What an explainer gives: maps for the explained side, and the account behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bincam.cam import ledger as books
from bincam.cam.decompose import Decomposition
from bincam.cam.ledger import Ledger
from bincam.cam.reference import Reference
from bincam.errors import InputError
from bincam.models.anatomy import Kind
from bincam.models.heads import Head, probability
from bincam.resample import upsample


@dataclass(frozen=True)
class Explanation:
    """Maps of B images and A attributes.

    Attributes:
        attributes: A names.
        logits: ``(B, A)``, z.
        side: ``(B, A)``, σ: +1 or -1; NaN where it is unknown.
        threshold: ``(A,)``, t in logit units.
        maps: ``(B, A, h, w)``, σS: evidence for the explained side in logit units. ``fullgrad``'s are ``(B, A, H, W)``.
        decomposition: The head's own account, whatever method drew the maps; None where the head has none.
        bias: ``(B, A)``, the constant that completes the maps: of the head, or for ``fullgrad`` of all layers without a
            place. None where there is none.
        method: Name.
        layer: Name of the explained tensor.
        kind: What the head permits to claim.
        reason: Why.
        complete: Whether this method at this layer under this head adds up: z = bias + prefix + ΣS.
        head: What the model's output means; ``probability`` needs it.
        image_size: ``(H, W)``.
    """

    attributes: tuple[str, ...]
    logits: Tensor
    side: Tensor
    threshold: Tensor
    maps: Tensor
    decomposition: Decomposition | None
    bias: Tensor | None
    method: str
    layer: str
    kind: Kind
    reason: str
    complete: bool
    head: Head
    image_size: tuple[int, int]

    @property
    def probability(self) -> Tensor:
        """``(B, A)``: the probability of the positive class."""
        return probability(self.logits, self.head)

    @property
    def identity_gap(self) -> Tensor:
        """``(B, A)``: z - b - p - ΣS, the part of the logit that these maps and the constant do not account for.

        Where the head has no constant (``bias`` is None) it is z - ΣS.
        """
        placed = self.side * self.maps.sum((-2, -1))
        constant = torch.zeros_like(placed) if self.bias is None else self.bias
        prefix = torch.zeros_like(placed) if self.decomposition is None else self.decomposition.prefix
        return self.logits - constant - (0 if self.method == "fullgrad" else prefix) - placed

    def ledger(self, reference: Literal["zero", "floor"] | Reference = "zero") -> Ledger:
        """Balance what supports the explained side against what opposes it.

        Args:
            reference: ``zero``: the head's own constant. ``floor``: and what every cell of the image gives alike. A
                fitted ``Reference``: and what it says every image gets.

        Returns:
            The ledger; all NaN, with the reason, where the head has no decomposition.

        Raises:
            InputError: An unknown reference, or one of another grid or without these attributes.
        """
        name = reference.kind if isinstance(reference, Reference) else reference
        if self.decomposition is None:
            nan = torch.full_like(self.logits, torch.nan)
            return books.ledger(
                nan[..., None, None],
                nan,
                nan,
                self.logits,
                self.side,
                self.threshold,
                reference=name,
                reason=self.reason,
            )
        evidence, bias = self.decomposition.evidence, self.decomposition.bias
        if isinstance(reference, Reference):
            evidence, bias = books.against(evidence, bias, reference.for_maps(self.attributes, evidence))
        elif reference == "floor":
            evidence, bias = books.floor(evidence, bias, self.side)
        elif reference != "zero":
            raise InputError(f"reference={reference!r}; expected 'zero', 'floor' or what fit_reference() returned")
        return books.ledger(
            evidence, bias, self.decomposition.prefix, self.logits, self.side, self.threshold, reference=name
        )

    def upsample(self, size: tuple[int, int] | None = None) -> Tensor:
        """All maps at an image's size: ``(B, A, H, W)``, by default the size that was explained.

        That is A times the memory of the images; ``upsampled`` goes image by image.
        """
        return upsample(self.maps, size or self.image_size)

    def upsampled(self, size: tuple[int, int] | None = None) -> Iterator[Tensor]:
        """The maps of one image after another, ``(A, H, W)``, so that only one image's are ever in memory."""
        for maps in self.maps:
            yield upsample(maps, size or self.image_size)
