"""What maps are counted from: nothing, a grid fitted on other images, or the mean of all attributes of the image.

Maps of the attributes of an image are often alike, because all of them show what every image shows there, or what this
image shows to every attribute. A reference takes one of these out, and states what it moves: with S' = S - R and a
constant b' = b + ΣR, z = b' + p + ΣS' holds whatever the reference is, wherever it held before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from bincam.cam.explained import AnyExplained, Explained
from bincam.cam.maps.methods import METHODS
from bincam.cam.reference import Reference
from bincam.errors import InputError, UnsupportedError
from bincam.references import FITTED_FOR_MAPS, MapReference

HEAD_METHODS = ("cam", "grad_cam", "hirescam")
"""Methods whose maps are the head's own evidence, wherever they add up to the logit."""


def refuse_unsigned(method: str) -> None:
    """Refuse methods whose maps leave out the evidence against a side, so that differences have no meaning.

    Raises:
        UnsupportedError: It is one of these.
    """
    if method not in METHODS or not METHODS[method].signed:
        signed = ", ".join(name for name, one in METHODS.items() if one.signed)
        raise UnsupportedError(
            f"maps of {method} leave out the evidence against the explained side, so they are counted from zero alone; "
            f"signed methods are {signed}"
        )


def check_attribute_mean(attributes: Sequence[str], owners: Sequence[str | None]) -> None:
    """Refuse to count from the mean of all attributes where there is one, or where outputs are those of sets.

    Args:
        attributes: A names.
        owners: Name of the set of each, None for a yes-or-no attribute; empty if there are no sets.

    Raises:
        InputError: There is one attribute.
        UnsupportedError: Some are outputs of a set.
    """
    sets = [name for name in owners if name is not None]
    if sets:
        raise UnsupportedError(
            f"attribute_mean is of yes-or-no attributes; evidence for outputs of a set ({sets[0]}) is against their "
            "alternatives already, and versus='mean' asks for the difference to the mean of the set"
        )
    if len(attributes) < 2:
        raise InputError("attribute_mean with one attribute: the mean of all attributes is its own map")


def is_head_evidence(explained: Explained) -> bool:
    """Decide if maps are the head's own evidence, which the ledger decomposes."""
    return explained.complete and explained.method in HEAD_METHODS and explained.decomposition is not None


def count_from(explained: AnyExplained, reference: MapReference | Reference) -> AnyExplained:
    """Count the maps of an explanation from a reference; see ``Explanation.against``."""
    if reference == "zero":
        return explained
    name = reference.kind if isinstance(reference, Reference) else reference
    if not isinstance(reference, Reference) and reference != "attribute_mean":
        raise InputError(
            f"reference={reference!r}; expected 'zero', 'attribute_mean', or what Explainer.fit_reference returns "
            f"({', '.join(FITTED_FOR_MAPS)})"
        )
    if explained.reference != "zero":
        raise InputError(f"these maps are counted from {explained.reference} already; take those counted from zero")
    refuse_unsigned(explained.method)
    grid = _fitted(explained, reference) if isinstance(reference, Reference) else _common(explained)
    moved = grid.sum((-2, -1)).expand_as(explained.logits)
    return replace(
        explained,
        maps=explained.maps - explained.side[..., None, None] * grid,
        bias=moved if explained.bias is None else explained.bias + moved,
        reference=name,
    )


def _fitted(explained: Explained, reference: Reference) -> Tensor:
    """The fitted grids ``(A, h, w)``, or ``(B, A, h, w)``, of the explained outputs."""
    given = f"{reference.method} at {reference.layer}" if reference.method else "the head's own evidence"
    own = f"{explained.method} at {explained.layer}"
    if reference.method:
        fits = (reference.method, reference.layer) == (explained.method, explained.layer)
    else:
        fits = is_head_evidence(explained)
    if not fits:
        raise InputError(
            f"the reference was fitted on {given} and the maps are of {own}; fit it with "
            "Explainer.fit_reference(..., of='maps') of this explainer"
        )
    return explained.reference_grid(reference)


def _common(explained: Explained) -> Tensor:
    """The mean of the attributes' evidence, ``(B, 1, h, w)``."""
    check_attribute_mean(explained.attributes, explained.sets)
    terms = explained.decomposition
    if terms is not None and is_head_evidence(explained):  # also where a side is unknown
        return terms.evidence.mean(1, keepdim=True)
    return torch.mean(explained.side[..., None, None] * explained.maps, 1, keepdim=True)
