"""Sets of outputs that exclude one another: of the outputs of a set exactly one is true.

It is below all rooms, because the data set, the card, the losses and the statistics state sets in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bincam.errors import InputError, nearest

Sets = Mapping[str, tuple[str, ...]]
"""Name of a set to the names of its outputs; outputs in no set are yes-or-no attributes."""


def check_sets(one_of: Mapping[str, Sequence[str]], outputs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Check that sets name known outputs, have at least two each, and do not overlap.

    Args:
        one_of: Name of a set to the names of its outputs.
        outputs: Names of all outputs.

    Returns:
        The sets, with tuples of names.

    Raises:
        InputError: A name is empty or unknown or occurs twice, or a set has fewer than two outputs.

    >>> check_sets({"hair": ["blond", "dark"]}, ["blond", "dark", "Male"])
    {'hair': ('blond', 'dark')}
    """
    sets: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for name, members in one_of.items():
        if not name.strip():
            raise InputError("a set of outputs has an empty name")
        if isinstance(members, str):
            raise InputError(f"set {name!r} is the string {members!r}; pass a list of names of outputs")
        if len(members) < 2:
            count = f"{len(members)} output{'' if len(members) == 1 else 's'}"
            raise InputError(
                f"set {name!r} has {count}; of a set exactly one output is true, so it has at least two (an output of "
                "its own is a yes-or-no attribute and needs no set)"
            )
        for output in members:
            if output not in outputs:
                raise InputError(f"set {name!r} names {output!r}{nearest(output, outputs)}")
            if output in owner:
                where = "twice in itself" if owner[output] == name else f"in set {owner[output]!r} too"
                raise InputError(f"output {output!r} of set {name!r} is {where}; sets do not overlap")
            owner[output] = name
        sets[name] = tuple(members)
    return sets


def set_columns(one_of: Sets, outputs: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Find the columns of the outputs of every set.

    >>> set_columns({"hair": ("dark", "blond")}, ["blond", "dark", "Male"])
    {'hair': (1, 0)}
    """
    position = {output: column for column, output in enumerate(outputs)}
    return {name: tuple(position[output] for output in members) for name, members in one_of.items()}
