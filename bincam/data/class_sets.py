"""Sets of outputs that exclude one another, as readers state them: by a column of class names or by one-hot columns.

Nothing is guessed: a set is stated by its name and its columns. A row that does not have exactly one true label is
refused with its place in the file, or its labels of the set become unknown where the user chose that.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data.stated_sets import Invalid, StatedSets, output_name
from bincam.display import counted
from bincam.errors import BincamWarning, InputError, nearest
from bincam.one_of import check_sets, in_columns, set_columns, true_and_unknown

_LARGEST = 2**34  # bytes of the labels of one set


def classes_in(values: NDArray[np.str_], column: str, source: str) -> tuple[str, ...]:
    """List the distinct class names of a column; numbers in names are ordered by size, as in 0-2, 3-9, 10-19.

    Args:
        values: ``(N,)``; empty where the class is unknown.
        column: Its name.
        source: Name of the file.

    Raises:
        InputError: There are fewer than two.

    >>> classes_in(np.array(["10-19", "0-2", "", "3-9", "0-2"]), "age", "mine.csv")
    ('0-2', '3-9', '10-19')
    """
    distinct = [str(value) for value in np.unique(values) if value]
    if len(distinct) < 2:
        content = f"the single class {distinct[0]!r}" if distinct else "no class"
        raise InputError(
            f"{source}: column {column!r} contains {content}; of a set there are at least two: state "
            f"all of them, also those without an image (--one-of-column {column}=CLASS,CLASS,...; one_of_columns=)"
        )

    return by_size(distinct)


def by_size(classes: Iterable[str]) -> tuple[str, ...]:
    """Sort names of classes, with numbers in them ordered by size.

    >>> by_size(["more than 70", "10-19", "0-2", "3-9"])
    ('0-2', '3-9', '10-19', 'more than 70')
    """

    def key(text: str) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", text)
        return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]

    return tuple(sorted(classes, key=key))


def positions(values: NDArray[np.str_], classes: Sequence[str]) -> NDArray[np.int64]:
    """Find the place of each value among the classes; -1 of a value that is none of them.

    >>> positions(np.array(["b", "", "a"]), ["b", "a"]).tolist()
    [0, -1, 1]
    """
    names = np.asarray(classes, np.str_)
    order = np.argsort(names)
    found = order[np.minimum(np.searchsorted(names, values, sorter=order), len(names) - 1)]
    return np.where(names[found] == values, found, -1)


def one_hot(codes: ArrayLike, count: int) -> NDArray[np.float32]:
    """Make the labels ``(N, count)`` of classes by number; a row of -1 has no true label.

    >>> one_hot([1, -1], 2).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    numbers = np.asarray(codes, np.int64)
    labels = np.zeros((len(numbers), count), np.float32)
    rows = np.flatnonzero(numbers >= 0)
    labels[rows, numbers[rows]] = 1
    return labels


def add_sets(
    stated: StatedSets,
    names: Sequence[str],
    labels: NDArray[np.float32],
    classes: Mapping[str, NDArray[np.str_]],
    where: Callable[[int], str],
    source: str,
) -> tuple[tuple[str, ...], NDArray[np.float32], dict[str, tuple[str, ...]]]:
    """Add the outputs of the stated sets to the columns of a table, and check that every row has one true label.

    Args:
        stated: The sets.
        names: The A columns, among them the one-hot columns of the sets.
        labels: ``(N, A)``: 1, 0 or NaN.
        classes: Class names ``(N,)`` of the columns of class names, empty where unknown.
        where: From a row to its place in the file.
        source: Name of the file.

    Returns:
        Names and labels with the outputs of classes and rests behind the columns, and the sets.

    Raises:
        InputError: A set is no set, overlaps another, or a row has no true label or several, with its place.

    Example:
        >>> stated = StatedSets.of(columns={"race": ("White", "Black")}, invalid="unknown")
        >>> race = {"race": np.array(["White", "Black", "White"])}
        >>> names, labels, sets = add_sets(stated, ["Male"], np.ones((3, 1), np.float32), race, str, "mine.csv")
        >>> names, labels[1].tolist(), sets
        (('Male', 'race=White', 'race=Black'), [1.0, 0.0, 1.0], {'race': ('race=White', 'race=Black')})
    """
    _refuse_repeated(stated, names)
    for name, members in stated.one_of.items():
        for member in members:
            if member not in names:
                raise InputError(f"{source}: set {name!r} names {member!r}{nearest(member, names)}")
    all_names, parts = list(names), [np.asarray(labels, np.float32)]
    sets: dict[str, tuple[str, ...]] = {}
    for name, members in stated.one_of.items():
        sets[name] = members
        if name in stated.rest:
            own = labels[:, [all_names.index(member) for member in members]]
            none = np.where(np.isnan(own).any(1), np.nan, (own == 1).sum(1) == 0)
            parts.append(none.astype(np.float32)[:, None])
            all_names.append(stated.rest[name])
            sets[name] = (*members, stated.rest[name])
    for column, order in stated.columns.items():
        values = classes[column]
        distinct = classes_in(values, column, source) if order is None else order
        if 4 * len(values) * len(distinct) > _LARGEST:
            raise InputError(
                f"{source}: column {column!r} has {counted(len(distinct), 'class', 'classes')} in "
                f"{_rows(len(values))}; is it a column of classes? State its classes, or choose another column"
            )
        codes = positions(values, distinct)
        _check_classes(stated, column, values, codes, distinct, where)
        parts.append(one_hot(codes, len(distinct)))
        name = stated.set_name(column)
        sets[name] = tuple(output_name(name, value) for value in distinct)
        all_names += sets[name]
    sets = check_sets(sets, all_names)
    joined = parts[-1] if not names and len(parts) == 2 else np.concatenate(parts, axis=1)
    for name, columns in set_columns(sets, all_names).items():
        own = in_columns(joined, columns)
        if (checked := settled(own, name, stated.invalid, where, source)) is not own:
            joined[:, columns] = checked
    return tuple(all_names), joined, sets


def settled(
    labels: NDArray[np.float32], name: str, invalid: Invalid, where: Callable[[int], str], source: str
) -> NDArray[np.float32]:
    """Refuse the rows of a set that do not have exactly one true label, or make their labels unknown, with a warning.

    Args:
        labels: ``(N, K)`` of the set.
        name: Of the set.
        invalid: ``refuse`` or ``unknown``.
        where: From a row to its place in the file.
        source: Name of the file.

    Raises:
        InputError: Names the first such row.

    >>> settled(np.array([[1, 0], [1, 1]], np.float32), "sex", "refuse", str, "t.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    bincam.errors.InputError: 1: set 'sex' has 2 true labels (in all 1 row with several); of a set exactly one ...
    """
    true, missing = true_and_unknown(labels)
    none, several = true == 0, true > 1
    partly = (true == 1) & (missing > 0)
    wrong = np.flatnonzero(none | several | partly)
    if not len(wrong):
        return labels
    kinds = ((none, "without a true label"), (several, "with several"), (partly, "with unknown ones beside a true one"))
    in_kinds = ", ".join(f"{_rows(int(kind.sum()))} {text}" for kind, text in kinds if kind.any())
    if invalid == "refuse":
        row = int(wrong[0])
        everything = missing[row] == labels.shape[1]
        unknown = ", all of them are unknown" if everything else " and unknown ones" if missing[row] else ""
        raise InputError(
            f"{where(row)}: set {name!r} has {int(true[row]) or 'no'} true label{'' if true[row] == 1 else 's'}"
            f"{unknown} (in all {in_kinds}); of a set exactly one is true: correct the rows, or read their labels of "
            "the set as unknown: one_of_invalid='unknown' (--one-of-invalid unknown)"
        )
    warnings.warn(
        f"{source}: set {name!r}: {in_kinds}, of {len(labels):,}; their labels of the set are unknown",
        BincamWarning,
        stacklevel=2,
    )
    result = labels.copy()
    result[wrong] = np.nan
    return result


def _check_classes(
    stated: StatedSets,
    column: str,
    values: NDArray[np.str_],
    codes: NDArray[np.int64],
    classes: Sequence[str],
    where: Callable[[int], str],
) -> None:
    """Refuse rows of a column whose cell is empty or none of the classes, unless they are to be unknown."""
    wrong = np.flatnonzero(codes < 0)
    if stated.invalid == "unknown" or not len(wrong):
        return
    value = str(values[wrong[0]])
    what = f"{value!r} is none of the classes stated" if value else "no class"
    hint = nearest(value, classes) if value else ""
    raise InputError(
        f"{where(int(wrong[0]))}: column {column!r}: {what}{hint} (in all {_rows(len(wrong))}); of a set exactly one "
        "label is true: correct the rows, or read their labels of the set as unknown: one_of_invalid='unknown' "
        "(--one-of-invalid unknown)"
    )


def _refuse_repeated(stated: StatedSets, names: Sequence[str]) -> None:
    """Refuse the output of a rest that is a column already."""
    for name, other in stated.rest.items():
        if other in names:
            raise InputError(
                f"one_of_rest of set {name!r} is {other!r}, which is a column already; choose another name, or state "
                "it as one of the set's columns"
            )


def _rows(count: int) -> str:
    return counted(count, "row")
