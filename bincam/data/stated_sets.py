"""The sets of outputs that the arguments of a reader state, checked in form before the file is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from bincam.errors import InputError, nearest
from bincam.one_of import check_sets

Invalid = Literal["refuse", "unknown"]
ClassColumns = Sequence[str] | Mapping[str, Sequence[str] | None]
"""Columns of class names: their names, or each name with the list of its classes, None for those in the column."""


def output_name(column: str, value: str) -> str:
    """Name the output of one class of a column: column and class, so that no two sets share a name.

    >>> output_name("race", "White")
    'race=White'
    """
    return f"{column}={value}"


@dataclass(frozen=True)
class StatedSets:
    """The sets that a reader's arguments state; ``StatedSets.of`` checks them.

    Attributes:
        one_of: Name of a set to its one-hot columns.
        columns: Name of a column of class names to its classes in order, None for those that it contains.
        rest: Name of a set of ``one_of`` to the name of a further output, which is true where none of the columns is.
        invalid: ``refuse`` rows without exactly one true label, or read their labels of the set as ``unknown``.
        set_names: Column of class names to the name of its set, where it is another.
    """

    one_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    rest: Mapping[str, str] = field(default_factory=dict)
    invalid: Invalid = "refuse"
    set_names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        one_of: Mapping[str, Sequence[str]] | None = None,
        columns: ClassColumns | None = None,
        rest: Mapping[str, str] | None = None,
        invalid: Invalid = "refuse",
        names: Mapping[str, str] | None = None,
    ) -> StatedSets:
        """Check the form of a reader's arguments; whether the columns exist is for the reader to check.

        Raises:
            InputError: An argument has another form, or a set is stated twice.

        >>> StatedSets.of(columns=["race"]).columns
        {'race': None}
        """
        if invalid not in get_args(Invalid):
            raise InputError(f"one_of_invalid={invalid!r}: expected one of {', '.join(get_args(Invalid))}")
        if isinstance(columns, str) or not isinstance(columns or {}, (Mapping, Sequence)):
            raise InputError(f"one_of_columns={columns!r}: expected a list of columns, or their classes by column")
        for what, value in (("one_of", one_of), ("one_of_rest", rest), ("one_of_names", names)):
            if not isinstance(value or {}, Mapping):
                raise InputError(f"{what}={value!r}: expected a mapping from names")
        pairs = columns if isinstance(columns, Mapping) else dict.fromkeys(columns or ())
        for name, classes in [*pairs.items(), *(one_of or {}).items()]:
            if isinstance(classes, str) or not isinstance(classes or (), Sequence):
                raise InputError(f"set {name!r} is {classes!r}: expected a list of names")
        by_column = {name: None if classes is None else tuple(map(str, classes)) for name, classes in pairs.items()}
        for name, classes in by_column.items():
            if classes is not None:
                set_name = (names or {}).get(name, name)
                outputs = [output_name(set_name, value) for value in classes]
                check_sets({set_name: outputs}, outputs)
        hot = {name: tuple(members) for name, members in (one_of or {}).items()}
        for column, other in (names or {}).items():
            if column not in by_column:
                raise InputError(
                    f"one_of_names names {column!r}{nearest(column, by_column)}; it is for columns of class names"
                )
            if not isinstance(other, str) or not other.strip():
                raise InputError(f"one_of_names of column {column!r} is {other!r}: expected the name of the set")
        called = [(names or {}).get(column, column) for column in by_column]
        if twice := sorted(hot.keys() & set(called)):
            raise InputError(f"set {twice[0]!r} is stated by a column of class names and by one-hot columns")
        if twice := sorted(name for name in called if called.count(name) > 1):
            raise InputError(f"set {twice[0]!r} is stated by two columns of class names")
        for name, other in (rest or {}).items():
            if name not in hot:
                raise InputError(f"one_of_rest names the set {name!r}{nearest(name, hot)}; it is for one-hot columns")
            if not isinstance(other, str) or not other.strip():
                raise InputError(f"one_of_rest of set {name!r} is {other!r}: expected the name of the further output")
        return cls(hot, by_column, dict(rest or {}), invalid, dict(names or {}))

    def __bool__(self) -> bool:
        return bool(self.one_of or self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all sets."""
        return (*self.one_of, *map(self.set_name, self.columns))

    def set_name(self, column: str) -> str:
        """The name of the set that a column of class names states."""
        return self.set_names.get(column, column)

    @property
    def hot_columns(self) -> list[str]:
        """The one-hot columns of all sets."""
        return [column for members in self.one_of.values() for column in members]

    def is_output(self, name: str) -> bool:
        """True if a name is, or may become, an output that is no column of the file."""
        return name in self.rest.values() or any(
            name.startswith(f"{self.set_name(column)}=") for column in self.columns
        )
