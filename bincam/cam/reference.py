"""References for ledger and maps: evidence that images get on average, fitted on other images than the audited ones."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.files import read_json, write_json
from bincam.references import KINDS, ReferenceKind

_KIND, _SCHEMA = "bincam-reference", 1

GROUPS = 20
"""Greatest number of groups of people that are left out in turn."""


@dataclass(frozen=True)
class Reference:
    """A grid of evidence per attribute.

    Attributes:
        kind: ``midpoint``: half the sum of the means over positively and over negatively labelled images; claims about
            bias need this one. ``mean``: the mean over all images, which also depends on prevalence. ``balanced_mean``:
            the mean over a label-balanced resample, with which ``mean`` is to be compared. Its expectation is the
            midpoint, and it is computed as such, without resampling. ``template``: the mean over all images, less its
            own mean over the cells, so that it sums to 0: where every image gets evidence, but not how much.
        attributes: A names.
        grid: ``(A, h, w)``, S_ref, float64; NaN for an attribute without images of both labels.
        counts: ``(A, 2)``: numbers of negatively and positively labelled images that it was fitted on.
        people: ``(A, 2)``: numbers of people on these images; None where the data names none.
        replicates: ``(G, A, h, w)`` float32: the grid without each of G groups of people (of images, where no people
            are known), from which a jackknife estimates how far the reference depends on the images that happened to
            be there; None where it is not known. They are no part of the digest, and ``save`` leaves them out.

    Example:
        >>> import tempfile, torch
        >>> from pathlib import Path
        >>> from bincam.cam import Reference
        >>> counts = torch.tensor([[30, 10]])
        >>> reference = Reference("midpoint", ("Smiling",), torch.zeros(1, 7, 7, dtype=torch.float64), counts)
        >>> file = Path(tempfile.mkdtemp()) / "reference.json"
        >>> reference.save(file)
        >>> Reference.load(file).digest == reference.digest
        True
    """

    kind: ReferenceKind
    attributes: tuple[str, ...]
    grid: Tensor
    counts: Tensor
    people: Tensor | None = None
    replicates: Tensor | None = None
    method: str = ""
    layer: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of names, kind and values, and of the method and layer if stated."""
        of_maps = (self.method, self.layer) if self.method else ()
        head = "\n".join((self.kind, *of_maps, *self.attributes)).encode()
        grid = torch.where(torch.isnan(self.grid), torch.nan, self.grid)  # all NaNs get the same bits
        return hashlib.sha256(head + grid.contiguous().numpy().tobytes()).hexdigest()

    def for_maps(self, attributes: Sequence[str], evidence: Tensor) -> Tensor:
        """Return S_ref ``(A, h, w)`` of these attributes for evidence ``(B, A, h, w)``.

        Raises:
            InputError: An attribute is missing, or the grids differ.
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
        """Write the reference as JSON, atomically."""
        grid = [[[None if math.isnan(v) else v for v in row] for row in cells] for cells in self.grid.tolist()]
        write_json(
            path,
            {
                "kind": _KIND,
                "schema": _SCHEMA,
                "reference": self.kind,
                "attributes": list(self.attributes),
                "counts": self.counts.tolist(),
                **({} if self.people is None else {"people": self.people.tolist()}),
                **({"method": self.method, "layer": self.layer} if self.method else {}),
                "grid": grid,
                "sha256": self.digest,
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Read a reference that ``save`` wrote.

        Raises:
            InputError: The file is incomplete, or its values do not match their checksum.
        """
        fields = read_json(path, kind=_KIND, schema=_SCHEMA)
        try:
            grid = [[[float("nan") if v is None else v for v in row] for row in cells] for cells in fields["grid"]]
            reference = cls(
                fields["reference"],
                tuple(fields["attributes"]),
                torch.tensor(grid, dtype=torch.float64),
                torch.tensor(fields["counts"], dtype=torch.int64),
                torch.tensor(fields["people"], dtype=torch.int64) if "people" in fields else None,
                method=fields.get("method", ""),
                layer=fields.get("layer", ""),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: incomplete reference: {error}") from None
        if reference.digest != fields.get("sha256"):
            raise InputError(f"{path}: the values do not match their checksum; fit the reference again")
        return reference


class ReferenceFit:
    """Sums of evidence by label, accumulated over batches.

    Args:
        attributes: A names.
    """

    def __init__(self, attributes: Sequence[str]) -> None:
        self._attributes = tuple(attributes)
        self._sums: Tensor | None = None  # (2, A, h, w): negative, positive
        self._counts = torch.zeros(len(self._attributes), 2, dtype=torch.int64)
        self._group_sums: Tensor | None = None  # (GROUPS, 2, A, h, w)
        self._group_counts = torch.zeros(GROUPS, 2, len(self._attributes), dtype=torch.int64)
        self._labelled: dict[str, Tensor] = {}  # person to (2, A): in which classes
        self._group_of: dict[str, int] = {}
        self._named = False

    def add(self, evidence: Tensor, labels: Tensor, people: Sequence[str] | None = None) -> None:
        """Add a batch.

        Args:
            evidence: ``(B, A, h, w)``.
            labels: ``(B, A)``: 1, 0 or -1, NaN for unknown.
            people: B names of the people on the images, empty where unknown; None where none is known. An image
                without a name is a person of its own.

        Raises:
            InputError: The labels have another shape, or one is another number.
        """
        truth = labels.to(evidence.device, torch.float64)
        if truth.shape != evidence.shape[:2]:
            raise InputError(f"labels have shape {tuple(truth.shape)}, but the batch is {tuple(evidence.shape[:2])}")
        strange = ~((truth == 1) | (truth == 0) | (truth == -1) | truth.isnan())
        if strange.any():
            image, attribute = strange.nonzero()[0].tolist()
            raise InputError(
                f"label {truth[image, attribute].item():g} of image {image}, {self._attributes[attribute]}: labels are "
                "1, 0, -1 or NaN"
            )
        cells = evidence.double()
        unknown = torch.isnan(truth) | torch.isnan(cells).flatten(2).any(-1)
        cells = torch.where(unknown[..., None, None], 0, cells)
        picks = torch.stack([(truth != 1) & ~unknown, (truth == 1) & ~unknown])  # (2, B, A)
        sums = torch.einsum("sba,bahw->sahw", picks.double(), cells).cpu()
        self._counts += picks.sum(1).T.cpu()
        self._sums = sums if self._sums is None else self._sums + sums
        self._add_groups(picks, cells, [""] * len(cells) if people is None else people)

    def _add_groups(self, picks: Tensor, cells: Tensor, people: Sequence[str]) -> None:
        """Add a batch to the sums of groups, to which people are assigned in turn, in the order of their appearance."""
        self._named |= any(people)
        places, classes = [], picks.cpu()
        for image, name in enumerate(people):
            person = name or f"\0{len(self._labelled)}"
            if person not in self._labelled:
                self._group_of[person] = len(self._labelled) % GROUPS
                self._labelled[person] = torch.zeros_like(classes[:, 0])
            self._labelled[person] |= classes[:, image]
            places.append(self._group_of[person])
        member = torch.nn.functional.one_hot(torch.tensor(places), GROUPS).to(cells.device, cells.dtype)  # (B, GROUPS)
        sums = torch.einsum("bg,sba,bahw->gsahw", member, picks.to(cells), cells).cpu()
        self._group_sums = sums if self._group_sums is None else self._group_sums + sums
        self._group_counts += torch.einsum("bg,sba->gsa", member, picks.to(cells)).round().long().cpu()

    def result(self, kind: ReferenceKind) -> Reference:
        """Compute the reference.

        Raises:
            InputError: The kind is unknown, or no batch was added.
        """
        if self._sums is None:
            raise InputError("a reference needs at least one batch of images with labels")
        if kind not in KINDS:
            raise InputError(f"unknown reference {kind!r}; expected one of {', '.join(KINDS)}")
        grid = _grid(kind, self._sums, self._counts.T)
        people = sum(self._labelled.values(), torch.zeros_like(self._counts.T)).T if self._named else None
        return Reference(kind, self._attributes, grid, self._counts.clone(), people, self._replicates(kind))

    def _replicates(self, kind: ReferenceKind) -> Tensor | None:
        """Compute the reference without each group, ``(G, A, h, w)``; None with fewer than two groups."""
        groups = min(GROUPS, len(self._labelled))
        if groups < 2:
            return None
        assert self._sums is not None
        assert self._group_sums is not None
        sums, counts = self._group_sums[:groups], self._group_counts[:groups]
        without = (_grid(kind, self._sums - s, self._counts.T - n) for s, n in zip(sums, counts, strict=True))
        return torch.stack([grid.float() for grid in without])


def as_template(mean: Reference) -> Reference:
    """Turn a reference of kind ``mean`` into the ``template``, less its own mean over the cells."""
    return replace(mean, kind="template", grid=_centred(mean.grid), replicates=None)


def _centred(grid: Tensor) -> Tensor:
    return grid - grid.mean((-2, -1), keepdim=True)


def _grid(kind: ReferenceKind, sums: Tensor, counts: Tensor) -> Tensor:
    """Compute the grid ``(A, h, w)`` from sums ``(2, A, h, w)`` and counts ``(2, A)``; NaN without images."""
    if kind in ("mean", "template"):
        grid: Tensor = sums.sum(0) / counts.sum(0)[:, None, None]
        return grid if kind == "mean" else _centred(grid)
    negative, positive = sums / counts[..., None, None]
    middle: Tensor = (negative + positive) / 2
    return middle
