"""Logits of the reference split in an audit's folder: what thresholds can be chosen by without the audited images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.stored import read_tensors, write_tensors
from bincam.errors import InputError
from bincam.stats.clusters import Clusters

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

FILE = "references/scores.safetensors"


@dataclass(frozen=True)
class ReferenceScores:
    """Logits and labels of the N images that the references are fitted on, of the A yes-or-no attributes.

    Attributes:
        attributes: Names of the attributes.
        logits: ``(N, A)``.
        labels: ``(N, A)``: 1, 0 or NaN.
        clusters: Clusters of the N images: the people on them.
    """

    attributes: tuple[str, ...]
    logits: NDArray[np.float32]
    labels: NDArray[np.float32]
    clusters: Clusters


def write_reference_scores(folder: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write ``logits`` and ``labels`` ``(N, A)`` and, where people are known, ``people`` ``(N,)``: their numbers."""
    write_tensors(folder / FILE, tensors)


def read_reference_scores(audit: Audit) -> ReferenceScores | None:
    """Read what ``write_reference_scores`` wrote; None in older audits, and where no reference was fitted.

    Raises:
        InputError: The file is broken, or not of this audit's attributes.
    """
    file = audit.folder / FILE
    if not file.is_file():
        return None
    tensors, names = read_tensors(file), audit.manifest.yes_or_no
    logits, labels = tensors.get("logits"), tensors.get("labels")
    if logits is None or labels is None or logits.shape != labels.shape or logits.shape[1:] != (len(names),):
        raise InputError(f"{file}: no logits and labels of {len(names)} attributes; make the audit again")
    people = tensors.get("people")
    clusters = Clusters(np.arange(len(logits)), known=False) if people is None else Clusters(people, known=True)
    return ReferenceScores(names, logits, labels, clusters)
