"""Names of the references from which the ledger's additive decomposition counts evidence.

The columns of an audit are named after them, and reading an audit must not import torch, so they are below all rooms.
``bincam.cam.reference`` fits them.
"""

from __future__ import annotations

from typing import Literal, get_args

ReferenceKind = Literal["midpoint", "mean", "balanced_mean"]

FITTED: tuple[ReferenceKind, ...] = get_args(ReferenceKind)
"""References that are fitted on a data set before an audit."""

REFERENCES = ("zero", "floor", *FITTED)
"""All references, in the order of an audit's columns."""
