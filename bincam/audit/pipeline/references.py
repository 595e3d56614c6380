"""The ledger's fitted references, from one pass over images that are usually not audited, and how far they vary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.schema import EMPTY_FOR, LEDGER
from bincam.audit.folder.stored import read_tensors
from bincam.audit.pipeline.sets.decisions import Decided
from bincam.cam import Explainer, Explanation, PlacedViews, Reference
from bincam.cam.reference import GROUPS, ReferenceFit
from bincam.errors import InputError
from bincam.files import atomic
from bincam.references import FITTED
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import CELLS, cells

VARIED = ("midpoint", "mean")
"""References whose variation is measured; a balanced mean is computed as a midpoint."""

MOST_BYTES = 2**29
"""Memory that the sums behind the references may take."""

_REPLICATES = "without.safetensors"


def is_affordable(outputs: int, grid: tuple[int, int]) -> bool:
    """Decide if the references of this many outputs can be fitted within ``MOST_BYTES``.

    They are fitted from sums in float64 of both classes, of all images and of ``GROUPS`` groups of people.

    >>> is_affordable(1000, (14, 14)), is_affordable(100_000, (14, 14))
    (True, False)
    """
    return outputs * grid[0] * grid[1] * 2 * (1 + GROUPS) * 8 <= MOST_BYTES


def fit_references(
    explainer: Explainer,
    batches: Iterable[tuple[Tensor | PlacedViews, Tensor] | tuple[Tensor | PlacedViews, Tensor, Sequence[str]]],
    seen: Sequence[Callable[[Explanation, Tensor], None]] = (),
) -> dict[str, Reference]:
    """Fit the references of all kinds from the same sums.

    Args:
        explainer: Of a model whose head has a decomposition.
        batches: Images ``(B, C, H, W)`` or their views, labels ``(B, A)`` of the explainer's attributes and, where they
            are known, the B names of the people on the images.
        seen: Each is called with the explanation and the labels of every batch.

    Returns:
        The reference of each kind, with its replicates.

    Raises:
        InputError: There is no batch, or all logits are NaN.
        UnsupportedError: The head has no decomposition.
    """
    fit = ReferenceFit(explainer.selection.attributes)
    with explainer.held():
        for images, labels, *people in batches:
            explanation = explainer(images)
            for see in seen:
                see(explanation, labels)
            decomposition = explanation.decomposition
            if decomposition is None:
                raise InputError("no reference can be fitted: the head has no decomposition")
            fit.add(decomposition.evidence, labels, people[0] if people else None)
    return {kind: fit.result(kind) for kind in FITTED}


@dataclass
class ScoresCollector:
    """Collects the logits of yes-or-no attributes on the reference split, by which thresholds can be chosen.

    Attributes:
        attributes: Names of the attributes.
    """

    attributes: tuple[str, ...]
    _logits: list[NDArray[np.float32]] = field(default_factory=list)
    _labels: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, explanation: Explanation, labels: Tensor) -> None:
        """Add a batch, whose labels ``(B, A)`` are of the explanation's attributes."""
        own = [explanation.attributes.index(name) for name in self.attributes]
        self._logits.append(explanation.logits[:, own].numpy(force=True).astype(np.float32))
        self._labels.append(labels[:, own].numpy(force=True).astype(np.float32))

    def tensors(self, people: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return what is stored; ``people`` are the names of the people on all images, in the order of the batches."""
        clusters = Clusters.of(people)
        known = {"people": clusters.codes} if clusters.known else {}
        return {"logits": np.concatenate(self._logits), "labels": np.concatenate(self._labels), **known}


def save_references(folder: Path, references: Mapping[str, Reference]) -> None:
    """Write ``references/KIND.json`` and their replicates in an audit's folder."""
    from safetensors.torch import save_file

    varied = {kind: references[kind].replicates for kind in VARIED if kind in references}
    tensors = {kind: grids.contiguous() for kind, grids in varied.items() if grids is not None}
    if tensors:  # before the others, because an interrupted audit finds its references by these
        with atomic(folder / "references" / _REPLICATES) as part:
            save_file(tensors, part)
    for kind, reference in references.items():
        reference.save(_file(folder, kind))


def load_references(folder: Path) -> dict[str, Reference] | None:
    """Read what ``save_references`` wrote; None if a file is missing. Older audits have no replicates.

    Raises:
        InputError: A file is broken.
    """
    if not all(_file(folder, kind).is_file() for kind in FITTED):
        return None
    file = folder / "references" / _REPLICATES
    varied = {name: torch.tensor(tensor) for name, tensor in read_tensors(file).items()} if file.is_file() else {}
    return {kind: replace(Reference.load(_file(folder, kind)), replicates=varied.get(kind)) for kind in FITTED}


def variation_sums(
    explanation: Explanation,
    labels: Tensor,
    references: Mapping[str, Reference],
    decided: Decided | None = None,
) -> dict[str, Tensor]:
    """Sum the ledger of a batch against every replicate of the references, by cell of outcomes.

    Args:
        explanation: Of the batch.
        labels: ``(B, A)``: 1, 0, or NaN.
        references: Fitted references by kind.
        decided: The decisions where there are sets.

    Returns:
        For each varied column, such as ``midpoint.bias_share``: ``COLUMN.without.sum`` and ``COLUMN.without.count``,
        ``(A, CELLS, G)`` float64 each.
    """
    sums: dict[str, Tensor] = {}
    varied = [kind for kind in VARIED if kind in references and references[kind].replicates is not None]
    if not varied or explanation.decomposition is None:
        return sums
    truth, logits = labels.to(explanation.logits), explanation.logits
    if decided is not None:
        logits = decided.defined(logits)
    z, y, t = (tensor.numpy(force=True) for tensor in (logits, truth, explanation.threshold.expand_as(logits)))
    codes = cells(y, z, t, None if decided is None else decided.positive.numpy(force=True))
    member = torch.stack([torch.from_numpy(codes == n) for n in range(len(CELLS))], -1).double()  # (B, A, CELLS)
    for kind in varied:
        reference = references[kind]
        assert reference.replicates is not None
        ledgers = [explanation.ledger(replace(reference, grid=grid)) for grid in reference.replicates]
        for term in (*LEDGER, *(("empty",) if kind in EMPTY_FOR else ())):
            values = torch.stack([getattr(ledger, term).double().cpu() for ledger in ledgers], -1)  # (B, A, G)
            defined = values.isfinite()
            sums[f"{kind}.{term}.without.sum"] = torch.einsum("bac,bag->acg", member, values.where(defined, 0.0))
            sums[f"{kind}.{term}.without.count"] = torch.einsum("bac,bag->acg", member, defined.double())
    return sums


def _file(folder: Path, kind: str) -> Path:
    return folder / "references" / f"{kind}.json"
