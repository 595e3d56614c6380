"""The selection of attributes to explain, with their thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.errors import InputError, nearest


@dataclass(frozen=True)
class Selection:
    """A selection of a model's outputs.

    Attributes:
        names: Names of all outputs.
        attributes: The selected names, in the requested order.
        columns: Their columns.
        thresholds: ``(A,)``, float64, in logit units.
    """

    names: tuple[str, ...]
    attributes: tuple[str, ...]
    columns: tuple[int, ...]
    thresholds: Tensor


def select(
    names: Sequence[str],
    wanted: Sequence[str | int] | None,
    threshold: float | Mapping[str, float] | None,
    default: Mapping[str, float],
) -> Selection:
    """Select attributes by name or column.

    Args:
        names: Names of all outputs, in order.
        wanted: Names or columns; None for all.
        threshold: In logit units: one for all, one per name, or None for the defaults.
        default: Default thresholds by name; 0 for names without an entry.

    Returns:
        The selection.

    Raises:
        InputError: A name is unknown or repeated, no attribute is selected, or a threshold is not finite or belongs to
            an unknown name.
    """
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise InputError(f"attribute {repeated[0]!r} is named twice")
    columns: list[int] = []
    for name_or_column in range(len(names)) if wanted is None else wanted:
        column = _column(name_or_column, names)
        if column in columns:
            raise InputError(f"attribute {names[column]!r} is selected twice")
        columns.append(column)
    if not columns:
        raise InputError("no attribute is selected")
    attributes = tuple(names[column] for column in columns)
    if threshold is None or isinstance(threshold, Mapping):
        explicit = threshold or {}
        for name in explicit:
            if name not in names:
                raise InputError(f"a threshold is given for unknown attribute {name!r}{nearest(name, names)}")
        values = [float(explicit.get(name, default.get(name, 0.0))) for name in attributes]
    else:
        values = [float(threshold)] * len(columns)
    thresholds = torch.tensor(values, dtype=torch.float64)
    if not bool(torch.isfinite(thresholds).all()):
        raise InputError(f"thresholds are finite numbers in logit units, got {values}")
    return Selection(tuple(names), attributes, tuple(columns), thresholds)


def _column(wanted: str | int, names: Sequence[str]) -> int:
    if isinstance(wanted, str):
        if wanted not in names:
            raise InputError(f"unknown attribute {wanted!r}{nearest(wanted, names)}")
        return list(names).index(wanted)
    if not -len(names) <= wanted < len(names):
        raise InputError(f"attribute {wanted} of a model with {len(names)} outputs")
    return wanted % len(names)
