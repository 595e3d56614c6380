"""The sets of outputs that an audit measures: those of the model's card that the data has labels of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bincam.data import AttributeTable, match_outputs
from bincam.errors import InputError
from bincam.models import Card
from bincam.one_of import set_of


def match_sets(card: Card, data: AttributeTable) -> AttributeTable:
    """Bring the labels of the card's sets to the names and the order of its outputs.

    Args:
        card: Of the model.
        data: The data.

    Returns:
        The data, with a column for each output of the card's sets that it has labels of, and its other columns. Its
        sets are those of the card. Without sets on either side it is the data itself.

    Raises:
        InputError: The data states outputs as a set that the card states as yes-or-no attributes, or it lacks outputs
            of a set of the card, or has images of a class that is no output; or a row has no true output or several.
    """
    if not card.one_of and not data.one_of:
        return data
    _refuse_attributes_as_sets(card, data)
    sets = {
        name: members
        for name, members in card.one_of.items()
        if name in data.one_of or any(member in data.names for member in members)
    }
    if not sets:
        return replace(data, one_of={})
    outputs = [member for members in sets.values() for member in members]
    matched = match_outputs(data, outputs, sets)
    used = {*outputs, *(member for name in sets for member in data.one_of.get(name, ()))}
    rest = [name for name in data.names if name not in used]
    labels = [matched.labels, data.labels[:, [data.index(name) for name in rest]]]
    return replace(data, names=(*outputs, *rest), labels=np.concatenate(labels, axis=1), one_of=sets)


def chosen_sets(one_of: Mapping[str, tuple[str, ...]], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Select the sets whose outputs are audited; a set is audited whole or not at all.

    Args:
        one_of: The sets of the matched table.
        names: The outputs that are audited.

    Raises:
        InputError: Some outputs of a set are audited and others are not.

    >>> chosen_sets({"hair": ("dark", "blond")}, ["dark"])
    Traceback (most recent call last):
    bincam.errors.InputError: of set 'hair' only 'dark' is to be audited, but its outputs exclude one another and are decided together; name the set itself, 'hair'
    """  # noqa: E501
    chosen = {}
    for name, members in one_of.items():
        audited = [member for member in members if member in names]
        if not audited:
            continue
        if len(audited) < len(members):
            some = ", ".join(map(repr, audited[:3]))
            raise InputError(
                f"of set {name!r} only {some} {'is' if len(audited) == 1 else 'are'} to be audited, but its outputs "
                f"exclude one another and are decided together; name the set itself, {name!r}"
            )
        chosen[name] = tuple(members)
    return chosen


def unmatched_sets(card: Card, data: AttributeTable) -> list[str]:
    """Note how a column of class names gets the name of the model's set, where neither has one of the other's name.

    Args:
        card: Of the model.
        data: The data as read.
    """
    called = data.reading.get("one_of_names", {})
    columns = [column for column in data.reading.get("one_of_columns", ()) if called.get(column, column) in data.one_of]
    free = [column for column in columns if called.get(column, column) not in card.one_of]
    lacking = [
        name
        for name, members in card.one_of.items()
        if name not in data.one_of and not any(member in data.names for member in members)
    ]
    if not free or not lacking:
        return []
    return [
        f"the data has the set {', '.join(map(repr, free))} and the model {', '.join(map(repr, lacking))}; if they are "
        f"the same, say so with --one-of-name {free[0]}={lacking[0]} (one_of_names)"
    ]


def _refuse_attributes_as_sets(card: Card, data: AttributeTable) -> None:
    for name, members in data.one_of.items():
        stray = next((m for m in members if m in card.attributes and set_of(m, card.one_of) is None), None)
        if stray is not None:
            raise InputError(
                f"the data states the set {name!r}, of which exactly one output is true, but {stray!r} is a yes-or-no "
                "attribute on the model's card; if the model's outputs exclude one another, state it on the card "
                f"('bincam card --one-of {name}=...'), else read the data without this set"
            )
