"""References for the ledger: what every image gets, fitted on a data set before anything is audited against it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.files import read_json, write_json
from bincam.references import FITTED, ReferenceKind

_KIND, _SCHEMA = "bincam-reference", 1


@dataclass(frozen=True)
class Reference:
    """A grid of evidence per attribute.

    Attributes:
        kind: ``midpoint``: half the sum of the mean over positively and over negatively labelled images, the one claims
            about bias may use. ``mean``: the data set's mean, which measures prevalence. ``balanced_mean``: the same on
            a label-balanced resample, beside which the mean is to be read. In expectation that resample's mean is the
            midpoint, and it is computed so, without drawing.
        attributes: A names.
        grid: ``(A, h, w)``, S_ref, float64; NaN for an attribute without images of both labels.
        counts: ``(A, 2)``: negatively and positively labelled images it was fitted on.
    """

    kind: ReferenceKind
    attributes: tuple[str, ...]
    grid: Tensor
    counts: Tensor

    @property
    def digest(self) -> str:
        """SHA-256 of names, kind and values, for a manifest."""
        head = "\n".join((self.kind, *self.attributes)).encode()
        grid = torch.where(torch.isnan(self.grid), torch.nan, self.grid)  # one NaN of the many that there are
        return hashlib.sha256(head + grid.contiguous().numpy().tobytes()).hexdigest()

    def for_maps(self, attributes: Sequence[str], evidence: Tensor) -> Tensor:
        """S_ref of these attributes for this evidence ``(B, A, h, w)``, as ``(A, h, w)``.

        Raises:
            InputError: An attribute is missing, or the grid is another.
        """
        missing = [name for name in attributes if name not in self.attributes]
        if missing:
            raise InputError(f"the reference was fitted without {', '.join(missing)}")
        if self.grid.shape[-2:] != evidence.shape[-2:]:
            raise InputError(
                f"the reference has a grid of {tuple(self.grid.shape[-2:])} cells and the maps of "
                f"{tuple(evidence.shape[-2:])}; fit it at the same input size"
            )
        chosen = self.grid[[self.attributes.index(name) for name in attributes]]
        return chosen.to(evidence)

    def save(self, path: str | Path) -> None:
        """Write as JSON, atomically."""
        grid = [[[None if math.isnan(v) else v for v in row] for row in cells] for cells in self.grid.tolist()]
        write_json(
            path,
            {
                "kind": _KIND,
                "schema": _SCHEMA,
                "reference": self.kind,
                "attributes": list(self.attributes),
                "counts": self.counts.tolist(),
                "grid": grid,
                "sha256": self.digest,
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Read what ``save`` wrote.

        Raises:
            InputError: It is not whole.
        """
        fields = read_json(path, kind=_KIND, schema=_SCHEMA)
        try:
            grid = [[[float("nan") if v is None else v for v in row] for row in cells] for cells in fields["grid"]]
            reference = cls(
                fields["reference"],
                tuple(fields["attributes"]),
                torch.tensor(grid, dtype=torch.float64),
                torch.tensor(fields["counts"], dtype=torch.int64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not a whole reference: {error}") from None
        if reference.digest != fields.get("sha256"):
            raise InputError(f"{path}: the values do not match their checksum; fit the reference again")
        return reference


class ReferenceFit:
    """Sums of evidence by label, over batches in any number.

    Args:
        attributes: A names.
    """

    def __init__(self, attributes: Sequence[str]) -> None:
        self._attributes = tuple(attributes)
        self._sums: Tensor | None = None  # (2, A, h, w): negative, positive
        self._counts = torch.zeros(len(self._attributes), 2, dtype=torch.int64)

    def add(self, evidence: Tensor, labels: Tensor) -> None:
        """Add a batch.

        Args:
            evidence: ``(B, A, h, w)``.
            labels: ``(B, A)``: 1, 0 or -1, NaN for unknown.
        """
        truth = labels.to(evidence.device, torch.float64)
        if truth.shape != evidence.shape[:2]:
            raise InputError(f"labels have shape {tuple(truth.shape)}, but the batch is {tuple(evidence.shape[:2])}")
        cells = evidence.double()
        unknown = torch.isnan(truth) | torch.isnan(cells).flatten(2).any(-1)
        cells = torch.where(unknown[..., None, None], 0, cells)
        picks = torch.stack([(truth != 1) & ~unknown, (truth == 1) & ~unknown])  # (2, B, A)
        sums = torch.einsum("sba,bahw->sahw", picks.double(), cells).cpu()
        self._counts += picks.sum(1).T.cpu()
        self._sums = sums if self._sums is None else self._sums + sums

    def result(self, kind: ReferenceKind) -> Reference:
        """The fitted reference.

        Raises:
            InputError: An unknown kind, or nothing was added.
        """
        if self._sums is None:
            raise InputError("a reference needs at least one batch of images with labels")
        if kind == "mean":
            total = self._counts.sum(1)
            grid = self._sums.sum(0) / total[:, None, None]
        elif kind in ("midpoint", "balanced_mean"):
            negative, positive = self._sums / self._counts.T[..., None, None]
            grid = (negative + positive) / 2
        else:
            raise InputError(f"unknown reference {kind!r}; expected one of {', '.join(FITTED)}")
        return Reference(kind, self._attributes, grid, self._counts.clone())
