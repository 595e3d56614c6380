"""Attention overlap: the similarity of two attributes' maps, compared with the correlation of their labels.

If a model uses one attribute to predict another, their maps overlap and their labels correlate. The converse does not
hold: attributes at the same position (Mustache and Goatee) overlap without leakage. The overlap is therefore reported
with the labels' φ, and with the overlap of the two attributes' maps between different images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor

from bincam.display import counted
from bincam.errors import InputError
from bincam.metrics.localization.energy import evidence


@dataclass(frozen=True)
class Leakage:
    """Attention overlap and label correlation, float64.

    Attributes:
        attributes: A names.
        overlap: ``(A, A)``, the mean over images of the cosine of the two maps, in [0, 1]; the diagonal is 1. NaN where
            no image has evidence for both.
        expected: ``(A, A)``, the same between maps of different images: the overlap that results from the attributes'
            usual positions. NaN where there are no two such images.
        images: ``(A, A)``, number of images with evidence for both; int64.
        phi: ``(A, A)``, φ correlation of the labels among images that have both; NaN where one is constant.
        labelled: ``(A, A)``, number of images with both labels; int64.
        agreement: Spearman's correlation of overlap and the magnitude of φ over the pairs; NaN with fewer than three
            pairs or where one is constant. Pairs share attributes, so there is no p-value.

    Example:
        >>> import torch
        >>> from bincam.metrics import AttentionOverlap
        >>> accumulator = AttentionOverlap(["Smiling", "Bald"])
        >>> accumulator.add(torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]]), torch.tensor([[1, 0]]))
        >>> leakage = accumulator.result()
        >>> leakage.overlap.tolist(), leakage.images.tolist()
        ([[1.0, 0.0], [0.0, 1.0]], [[1, 1], [1, 1]])
    """

    attributes: tuple[str, ...]
    overlap: Tensor
    expected: Tensor
    images: Tensor
    phi: Tensor
    labelled: Tensor
    agreement: float


class AttentionOverlap:
    """An accumulator of attention overlap over batches; its memory does not grow with the number of images.

    The overlap of two maps is the cosine of (σS)⁺ over the cells of the grid: 1 for the same shape at any scale, 0
    where no cell has evidence for both. Maps without positive evidence and maps with a cell that is not finite have no
    overlap and are omitted pairwise.

    Args:
        attributes: A names.

    Raises:
        InputError: There is no name.

    Example:
        >>> import torch
        >>> from bincam.metrics import AttentionOverlap
        >>> accumulator = AttentionOverlap(["Mustache", "Goatee"])
        >>> maps = torch.tensor([[[[0.0, 2.0]], [[1.0, 1.0]]]] * 3)  # three images of two attributes
        >>> accumulator.add(maps, labels=torch.tensor([[1, 1], [0, 0], [1, 0]]))
        >>> result = accumulator.result()
        >>> round(result.overlap[0, 1].item(), 3), round(result.phi[0, 1].item(), 3)
        (0.707, 0.5)
    """

    def __init__(self, attributes: Sequence[str]) -> None:
        if not attributes:
            raise InputError("attention overlap needs at least one attribute")
        self.attributes = tuple(attributes)
        count = len(self.attributes)
        self._cosines = torch.zeros(count, count, dtype=torch.float64)
        self._both = torch.zeros(count, count, dtype=torch.int64)
        self._shapes: Tensor | None = None  # (A, hw)
        self._labels = torch.zeros(2, 2, count, count, dtype=torch.int64)  # [label of row, label of column]

    def add(self, maps: Tensor, labels: Tensor) -> None:
        """Add a batch.

        Args:
            maps: ``(B, A, h, w)``, σS.
            labels: ``(B, A)``: 1 positive, 0 or -1 negative, NaN unknown.

        Raises:
            InputError: Shapes do not match, the grid differs from earlier batches, or a label is illegal.
        """
        count = len(self.attributes)
        r = evidence(maps).double()  # (B, A, hw)
        if r.shape[1] != count or labels.shape != r.shape[:2]:
            raise InputError(
                f"maps {tuple(maps.shape)} and labels {tuple(labels.shape)} do not belong to "
                f"{counted(count, 'attribute')}"
            )
        if self._shapes is not None and self._shapes.shape[1] != r.shape[2]:
            raise InputError(f"maps of {r.shape[2]} cells, after maps of {self._shapes.shape[1]}")
        positive, negative = labels == 1, (labels == 0) | (labels == -1)
        illegal = ~(positive | negative | labels.isnan())
        if bool(illegal.any()):
            image, attribute = (int(n) for n in illegal.nonzero()[0])
            raise InputError(
                f"label {labels[image, attribute].item():g} of image {image}, {self.attributes[attribute]}: "
                "labels are 1, 0, -1 or NaN"
            )
        length = r.norm(dim=-1, keepdim=True)
        has_evidence = (length > 0)[..., 0]  # False for NaN
        unit = torch.where(has_evidence[..., None], r / length, 0.0)
        self._cosines += torch.einsum("bak,bck->ac", unit, unit).cpu()
        self._both += _count_pairs(has_evidence, has_evidence)
        self._shapes = unit.sum(0).cpu() + (0 if self._shapes is None else self._shapes)
        of_class = (negative, positive)
        for row in (0, 1):
            for column in (0, 1):
                self._labels[row, column] += _count_pairs(of_class[row], of_class[column])

    def result(self) -> Leakage:
        """Compute the matrices over all batches."""
        nan = torch.full_like(self._cosines, torch.nan)
        overlap = torch.where(self._both > 0, (self._cosines / self._both).clamp(0, 1), nan)
        expected = nan
        if self._shapes is not None:
            single = self._both.diagonal()
            others = single[:, None] * single - self._both  # pairs of different images
            between = self._shapes @ self._shapes.T - self._cosines
            expected = torch.where(others > 0, (between / others).clamp(0, 1), nan)
        ((none, second), (first, both)) = self._labels.double()
        margins = (first + both) * (none + second) * (second + both) * (none + first)
        phi = torch.where(margins > 0, (both * none - first * second) / margins.sqrt(), nan)
        above = torch.ones_like(overlap, dtype=torch.bool).triu(1) & ~overlap.isnan() & ~phi.isnan()
        return Leakage(
            attributes=self.attributes,
            overlap=overlap,
            expected=expected,
            images=self._both.clone(),
            phi=phi,
            labelled=self._labels.sum((0, 1)),
            agreement=_spearman(overlap[above], phi[above].abs()),
        )


def _count_pairs(rows: Tensor, columns: Tensor) -> Tensor:
    """Count images in which both are true: ``(B, A)`` and ``(B, A)`` bool to ``(A, A)`` int64, exactly."""
    return (rows.double().T @ columns.double()).round().to(torch.int64).cpu()


def _spearman(x: Tensor, y: Tensor) -> float:
    if len(x) < 3 or bool((x == x[0]).all()) or bool((y == y[0]).all()):
        return float("nan")
    return float(spearmanr(x.numpy(), y.numpy()).statistic)
