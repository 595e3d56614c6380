"""The ledger's fitted references, from one pass over images that are usually not audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from bincam.cam import Explainer, Reference
from bincam.cam.reference import ReferenceFit
from bincam.errors import InputError
from bincam.references import FITTED


def fit_references(explainer: Explainer, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, Reference]:
    """Fit the references of all kinds from the same sums.

    Args:
        explainer: Of a model whose head has a decomposition.
        batches: Images ``(B, C, H, W)``, and labels ``(B, A)`` of the explainer's attributes.

    Returns:
        The reference of each kind.

    Raises:
        InputError: There is no batch, or all logits are NaN.
        UnsupportedError: The head has no decomposition.
    """
    fit = ReferenceFit(explainer.selection.attributes)
    for images, labels in batches:
        decomposition = explainer(images).decomposition
        if decomposition is None:
            raise InputError("no reference can be fitted: the head has no decomposition")
        fit.add(decomposition.evidence, labels)
    return {kind: fit.result(kind) for kind in FITTED}


def save_references(folder: Path, references: Mapping[str, Reference]) -> None:
    """Write ``references/KIND.json`` in an audit's folder."""
    for kind, reference in references.items():
        reference.save(_file(folder, kind))


def load_references(folder: Path) -> dict[str, Reference] | None:
    """Read what ``save_references`` wrote; None if a file is missing.

    Raises:
        InputError: A file is broken.
    """
    if not all(_file(folder, kind).is_file() for kind in FITTED):
        return None
    return {kind: Reference.load(_file(folder, kind)) for kind in FITTED}


def _file(folder: Path, kind: str) -> Path:
    return folder / "references" / f"{kind}.json"
