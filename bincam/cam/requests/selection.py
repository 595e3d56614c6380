"""The selection of attributes to explain, with their thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.one_of import Sets, check_no_threshold, check_sets, set_columns, set_of


@dataclass(frozen=True)
class Selection:
    """A selection of a model's outputs.

    Attributes:
        names: Names of all outputs.
        attributes: The selected names, in the requested order.
        columns: Their columns.
        thresholds: ``(A,)``, float64, in logit units; 0 for outputs in sets, which have none.
        sets: Columns of the sets of outputs of which exactly one is true, among all outputs.
    """

    names: tuple[str, ...]
    attributes: tuple[str, ...]
    columns: tuple[int, ...]
    thresholds: Tensor
    sets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def owners(self) -> tuple[str | None, ...]:
        """The set of each selected output; None for yes-or-no attributes."""
        owner = {column: name for name, columns in self.sets.items() for column in columns}
        return tuple(owner.get(column) for column in self.columns)

    def all_thresholds(self, like: Tensor) -> Tensor:
        """The thresholds of all outputs, 0 where an output is not selected, in the type of a tensor."""
        thresholds = torch.zeros(len(self.names), dtype=like.dtype, device=like.device)
        thresholds[list(self.columns)] = self.thresholds.to(like)
        return thresholds


def select(
    names: Sequence[str],
    wanted: Sequence[str | int] | None,
    threshold: float | Mapping[str, float] | None,
    default: Mapping[str, float],
    one_of: Mapping[str, Sequence[str]] | None = None,
) -> Selection:
    """Select attributes by name or column.

    Args:
        names: Names of all outputs, in order.
        wanted: Names or columns; the name of a set stands for all its outputs. None for all.
        threshold: In logit units: one for all, one per name, or None for the defaults.
        default: Default thresholds by name; 0 for names without an entry.
        one_of: Sets of outputs of which exactly one is true.

    Returns:
        The selection.

    Raises:
        InputError: A name is unknown or repeated, no attribute is selected, or a threshold is not finite or belongs to
            an unknown name or to an output in a set.
    """
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise InputError(f"attribute {repeated[0]!r} is named twice")
    sets = check_sets(one_of or {}, names)
    columns: list[int] = []
    for name_or_column in range(len(names)) if wanted is None else _outputs(wanted, sets):
        column = _column(name_or_column, names, sets)
        if column in columns:
            raise InputError(f"attribute {names[column]!r} is selected twice")
        columns.append(column)
    if not columns:
        raise InputError("no attribute is selected")
    attributes = tuple(names[column] for column in columns)
    check_no_threshold(default, sets, "the card")
    if threshold is None or isinstance(threshold, Mapping):
        explicit = threshold or {}
        for name in explicit:
            if name not in names:
                raise InputError(f"a threshold is given for unknown attribute {name!r}{nearest(name, names)}")
        check_no_threshold(explicit, sets, "threshold")
        values = [float(explicit.get(name, default.get(name, 0.0))) for name in attributes]
    else:
        in_set = next((name for name in attributes if set_of(name, sets)), None)
        if in_set is not None:
            raise InputError(
                f"threshold={threshold:g} is for all attributes, but {in_set!r} is in set {set_of(in_set, sets)!r}, of "
                "which the output with the highest score is the predicted one; give thresholds by name, "
                "{name: threshold}, to yes-or-no attributes"
            )
        values = [float(threshold)] * len(columns)
    thresholds = torch.tensor(values, dtype=torch.float64)
    if not bool(torch.isfinite(thresholds).all()):
        raise InputError(f"thresholds are finite numbers in logit units, got {values}")
    return Selection(tuple(names), attributes, tuple(columns), thresholds, set_columns(sets, names))


def _outputs(wanted: Sequence[str | int], sets: Sets) -> Iterator[str | int]:
    """Yield names and columns, of a set those of its outputs."""
    for entry in wanted:
        yield from sets.get(entry, (entry,)) if isinstance(entry, str) else (entry,)


def _column(wanted: str | int, names: Sequence[str], sets: Sets) -> int:
    if isinstance(wanted, str):
        if wanted not in names:
            raise InputError(f"unknown attribute {wanted!r}{nearest(wanted, (*names, *sets))}")
        return list(names).index(wanted)
    if not -len(names) <= wanted < len(names):
        raise InputError(f"attribute {wanted} of a model with {counted(len(names), 'output')}")
    return wanted % len(names)
