"""The evidence ledger: how much of a decision comes from places in the image, and how much from a constant.

For the explained side, an exact head gives σ(z - t) = σ(b - t) + σp + Σ(σS)⁺ - Σ(σS)⁻, where p is evidence of tokens
without a place (zero for most models). The ledger sorts the terms by sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ledger:
    """Support and opposition of the explained side, each ``(B, A)`` in logit units.

    Attributes:
        reference: ``zero``, ``floor``, or the name of a fitted reference.
        support: T = (σ(b - t))⁺ + (σp)⁺ + Σ(σS)⁺.
        opposition: O = (σ(b - t))⁻ + (σp)⁻ + Σ(σS)⁻, so that T - O = σ(z - t).
        bias: σ(b - t), signed.
        prefix: σp, signed: evidence without a place that is not constant.
        placed_support: Σ(σS)⁺.
        placed_opposition: Σ(σS)⁻.
        bias_share: (σ(b - t))⁺ / T in [0, 1]; NaN where nothing supports the side (T = 0).
        empty: 1 where Σ(σS)⁺ = 0, the map shows nothing; else 0; NaN where undefined.
        gap: T - O - σ(z - t), which float rounding alone keeps from zero.
        reason: Why everything is NaN, where the head has no decomposition; else empty.
    """

    reference: str
    support: Tensor
    opposition: Tensor
    bias: Tensor
    prefix: Tensor
    placed_support: Tensor
    placed_opposition: Tensor
    bias_share: Tensor
    empty: Tensor
    gap: Tensor
    reason: str = ""

    @property
    def undefined(self) -> int:
        """How many bias shares are NaN."""
        return int(torch.isnan(self.bias_share).sum())


def ledger(
    evidence: Tensor,
    bias: Tensor,
    prefix: Tensor,
    logits: Tensor,
    side: Tensor,
    threshold: Tensor,
    *,
    reference: str = "zero",
    reason: str = "",
) -> Ledger:
    """Balance the books.

    Args:
        evidence: ``(B, A, h, w)``, S for the positive class.
        bias: ``(B, A)``, b.
        prefix: ``(B, A)``, p.
        logits: ``(B, A)``, z.
        side: ``(B, A)``, σ.
        threshold: ``(A,)`` or ``(B, A)``, t.
        reference: What the evidence is measured against; only a name here.
        reason: Why the evidence is NaN, if it is.

    Returns:
        The ledger.
    """
    cells = side[..., None] * evidence.flatten(2)  # (B, A, hw)
    constant = side * (bias - threshold)
    elsewhere = side * prefix
    placed_support, placed_opposition = cells.relu().sum(-1), (-cells).relu().sum(-1)
    support = constant.relu() + elsewhere.relu() + placed_support
    opposition = (-constant).relu() + (-elsewhere).relu() + placed_opposition
    nan = torch.full_like(support, torch.nan)
    empty = torch.where(torch.isnan(placed_support), nan, (placed_support == 0).to(support.dtype))
    return Ledger(
        reference=reference,
        support=support,
        opposition=opposition,
        bias=constant,
        prefix=elsewhere,
        placed_support=placed_support,
        placed_opposition=placed_opposition,
        bias_share=torch.where(support > 0, constant.relu() / support, nan),
        empty=empty,
        gap=support - opposition - side * (logits - threshold),
        reason=reason,
    )


def floor(evidence: Tensor, bias: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
    """Move what every cell of an image gives alike from the grid to the constant.

    c is the σS nearest to zero where all cells have one sign, else 0; b' = b + σ·hw·c and S' = S - σc.

    Args:
        evidence: ``(B, A, h, w)``.
        bias: ``(B, A)``.
        side: ``(B, A)``.

    Returns:
        S' and b' of the same shapes.
    """
    cells = side[..., None] * evidence.flatten(2)  # (B, A, hw)
    low, high = cells.amin(-1), cells.amax(-1)
    common = torch.where(low > 0, low, torch.where(high < 0, high, torch.zeros_like(low)))
    common = torch.where(torch.isnan(low), low, common)
    moved = side * common
    return evidence - moved[..., None, None], bias + moved * cells.shape[-1]


def against(evidence: Tensor, bias: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Measure evidence against a reference grid: b' = b + ΣS_ref and S' = S - S_ref.

    Args:
        evidence: ``(B, A, h, w)``.
        bias: ``(B, A)``.
        grid: ``(A, h, w)``.

    Returns:
        S' and b' of the same shapes.
    """
    return evidence - grid, bias + grid.sum((-2, -1))
