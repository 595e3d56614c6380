"""The evidence ledger: the additive decomposition of a decision, with its terms sorted by sign.

For the explained side, an exact head gives σ(z - t) = σ(b - t) + σp + Σ(σS)⁺ - Σ(σS)⁻: a constant, the evidence p of
tokens without a position (zero for most models), and the evidence of the cells of the grid. The ledger states how much
of the support of a decision comes from positions in the image and how much from the constant. The log-odds of an output
in a set have a further term, -H(π), which grows with the number of alternatives and is no bias; it is kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.cam.listing import Position, first_rows, omitted_rows, size
from bincam.display import NONE, Table, cell


@dataclass(frozen=True)
class Ledger:
    """Support and opposition of the explained side, each ``(B, A)`` in logit units.

    Attributes:
        reference: ``zero``, ``floor``, or the name of a fitted reference.
        support: T = (σ(b - t))⁺ + (σp)⁺ + Σ(σS)⁺, and (-σH)⁺ in a set.
        opposition: O = (σ(b - t))⁻ + (σp)⁻ + Σ(σS)⁻, and (-σH)⁻ in a set, so that T - O = σ(z - t).
        bias: σ(b - t), signed.
        prefix: σp, signed: evidence without a position that is not constant.
        placed_support: Σ(σS)⁺.
        placed_opposition: Σ(σS)⁻.
        bias_share: (σ(b - t))⁺ / T in [0, 1]; NaN where nothing supports the side (T = 0).
        empty: 1 where the map has no positive evidence, Σ(σS)⁺ = 0; else 0; NaN where undefined.
        gap: T - O - σ(z - t), which is zero up to rounding.
        alternatives: σ(-H(π)), signed: what the log-odds of an output in a set lose to the number of alternatives; 0
            for yes-or-no attributes. It is part of the support or the opposition, not of the bias share.
        reason: Why everything is NaN, if the head has no additive decomposition; else empty.
        attributes: A names, for display; empty if unknown.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> ledger = Explainer(model)(torch.rand(4, 3, 16, 16)).ledger("floor")
        >>> ledger.reference, ledger.bias_share.shape
        ('floor', torch.Size([4, 1]))
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
    alternatives: Tensor
    reason: str = ""
    attributes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> Table:
        def cells(at: Position) -> tuple[str, ...]:
            return (
                cell(self.support[at].item()),
                cell(self.opposition[at].item()),
                cell(self.bias[at].item(), signed=True),
                cell(self.bias_share[at].item()),
                {0.0: "yes", 1.0: "no"}.get(self.empty[at].item(), NONE),
            )

        names = self.attributes or tuple(str(column) for column in range(self.support.shape[1]))
        undefined = f"bias share undefined in {self.undefined:,}" if self.undefined else ""
        return Table(
            f"Ledger of {size(names, self.support)}, reference {self.reference}, in logit units",
            ("image, attribute", "support", "opposition", "constant", "bias share", "positive evidence"),
            first_rows(names, self.support, cells),
            "; ".join(filter(None, (self.reason, undefined, omitted_rows(self.support)))),
        )

    @property
    def undefined(self) -> int:
        """Number of bias shares that are NaN."""
        return int(torch.isnan(self.bias_share).sum())


def ledger(
    evidence: Tensor,
    bias: Tensor,
    prefix: Tensor,
    logits: Tensor,
    side: Tensor,
    threshold: Tensor,
    *,
    alternatives: Tensor | None = None,
    reference: str = "zero",
    reason: str = "",
    attributes: tuple[str, ...] = (),
) -> Ledger:
    """Sort the terms of an additive decomposition by their sign.

    Args:
        evidence: ``(B, A, h, w)``, S for the positive class.
        bias: ``(B, A)``, b.
        prefix: ``(B, A)``, p.
        logits: ``(B, A)``, z.
        side: ``(B, A)``, σ.
        threshold: ``(A,)`` or ``(B, A)``, t.
        alternatives: ``(B, A)``, -H(π); None for zeros.
        reference: Name of the reference against which the evidence is measured.
        reason: Why the evidence is NaN, if it is.
        attributes: A names, for display.

    Returns:
        The ledger.

    Example:
        A logit of 2.5 is the sum of the evidence of four cells and a constant of 1:

        >>> import torch
        >>> from bincam.cam import ledger
        >>> evidence = torch.tensor([[[[2.0, 0.0], [-1.0, 0.5]]]])
        >>> bias, prefix, logit = torch.tensor([[1.0]]), torch.tensor([[0.0]]), torch.tensor([[2.5]])
        >>> terms = ledger(evidence, bias, prefix, logit, side=torch.tensor([[1.0]]), threshold=torch.tensor([0.0]))
        >>> terms.support.item(), terms.opposition.item(), round(terms.bias_share.item(), 3)
        (3.5, 1.0, 0.286)
    """
    cells = side[..., None] * evidence.flatten(2)  # (B, A, hw)
    constant = side * (bias - threshold)
    unplaced = side * prefix
    placed_support, placed_opposition = cells.relu().sum(-1), (-cells).relu().sum(-1)
    lost = torch.zeros_like(unplaced) if alternatives is None else side * alternatives
    support = constant.relu() + unplaced.relu() + lost.relu() + placed_support
    opposition = (-constant).relu() + (-unplaced).relu() + (-lost).relu() + placed_opposition
    nan = torch.full_like(support, torch.nan)
    empty = torch.where(torch.isnan(placed_support), nan, (placed_support == 0).to(support.dtype))
    return Ledger(
        reference=reference,
        support=support,
        opposition=opposition,
        bias=constant,
        prefix=unplaced,
        placed_support=placed_support,
        placed_opposition=placed_opposition,
        bias_share=torch.where(support > 0, constant.relu() / support, nan),
        empty=empty,
        gap=support - opposition - side * (logits - threshold),
        alternatives=lost,
        reason=reason,
        attributes=attributes,
    )


def floor(evidence: Tensor, bias: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
    """Move the evidence that all cells of an image have in common from the grid to the constant.

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
    shift = side * common
    return evidence - shift[..., None, None], bias + shift * cells.shape[-1]


def against(evidence: Tensor, bias: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Measure evidence against a reference grid: b' = b + ΣS_ref and S' = S - S_ref.

    Args:
        evidence: ``(B, A, h, w)``.
        bias: ``(B, A)``.
        grid: ``(A, h, w)`` or ``(B, A, h, w)``.

    Returns:
        S' and b' of the same shapes.
    """
    return evidence - grid, bias + grid.sum((-2, -1))
