"""Names of the references against which the ledger is kept.

They stand below all rooms because the columns of an audit are named after them, and reading an audit costs no torch.
``bincam.cam.reference`` fits them.
"""

from __future__ import annotations

from typing import Literal, get_args

ReferenceKind = Literal["midpoint", "mean", "balanced_mean"]

FITTED: tuple[ReferenceKind, ...] = get_args(ReferenceKind)
"""References that are fitted on a data set before the audit."""

REFERENCES = ("zero", "floor", *FITTED)
"""All references, in the order of an audit's columns."""
