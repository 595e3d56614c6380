"""Names of the references from which evidence is counted: by the ledger, and by maps.

The columns of an audit are named after those of the ledger, and reading an audit must not import torch, so they are
below all rooms. ``bincam.cam.reference`` fits them.
"""

from __future__ import annotations

from typing import Literal, get_args

ReferenceKind = Literal["midpoint", "mean", "balanced_mean", "template"]

KINDS: tuple[ReferenceKind, ...] = get_args(ReferenceKind)
"""References that can be fitted on a data set."""

FITTED: tuple[ReferenceKind, ...] = ("midpoint", "mean", "balanced_mean")
"""Of these, the references of an audit's ledger, which are fitted before it."""

REFERENCES = ("zero", "floor", *FITTED)
"""All references of an audit's ledger, in the order of its columns."""

MapReference = Literal["zero", "midpoint", "template", "attribute_mean"]

MAP_REFERENCES: tuple[MapReference, ...] = get_args(MapReference)
"""References from which maps are counted; ``attribute_mean`` is the image's own, the others are the same for all."""

FITTED_FOR_MAPS: tuple[ReferenceKind, ...] = ("midpoint", "template")
"""Of these, the ones that are fitted."""
