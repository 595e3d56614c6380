"""Columns of formats of people that exclude one another, stated as sets."""

from __future__ import annotations

from dataclasses import replace

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import add_sets
from bincam.data.stated_sets import StatedSets


def with_sets(table: AttributeTable, stated: StatedSets) -> AttributeTable:
    """Add sets of columns of which exactly one is true in every image.

    Args:
        table: Without sets.
        stated: The sets, and what becomes of images without exactly one true label of a set.

    Raises:
        InputError: As for ``add_sets``.

    >>> import numpy as np
    >>> people = AttributeTable(("Front", "Back"), np.eye(2), ("a.png", "b.png"), "photos")
    >>> dict(with_sets(people, StatedSets.of({"view": ("Front", "Back")})).one_of)
    {'view': ('Front', 'Back')}
    """
    if not stated:
        return table
    names, labels, one_of = add_sets(
        stated,
        table.names,
        table.labels,
        {},
        lambda row: f"{table.source}: image {table.ids[row]!r}",
        table.source,
    )
    return replace(table, names=names, labels=labels, one_of=one_of)
