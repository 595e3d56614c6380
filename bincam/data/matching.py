"""Matching of a table with the outputs of a model: the same columns in the same order, and the same sets."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import settled
from bincam.data.stated_sets import Invalid
from bincam.display import counted
from bincam.errors import BincamWarning, InputError, nearest
from bincam.one_of import Sets, check_sets, set_columns


def match_outputs(
    table: AttributeTable,
    outputs: Sequence[str],
    one_of: Mapping[str, Sequence[str]] | None = None,
    *,
    invalid: Invalid | None = None,
) -> AttributeTable:
    """Bring a table to the outputs of a model, in the model's order and with the model's sets.

    Attributes are matched by name. An output of a set is matched with the set of the same name, by the name of the
    output or of its class: ``White`` of the model's set ``race`` is ``race=White`` of the table's, and the reverse. A
    set that the table does not state, but all of whose outputs are columns of it, is checked and taken over.

    Args:
        table: The data.
        outputs: Names of the A outputs, as on the model's card.
        one_of: The model's sets.
        invalid: ``refuse`` rows without exactly one true label in a set that the table did not state, or read their
            labels of it as ``unknown``, with a warning that counts them. None is what the table was read with, else
            ``refuse``.

    Returns:
        A table whose ``names`` are the outputs, whose ``labels`` are ``(N, A)``, and whose sets are the model's. A
        class that the data lack has the label 0 in every image whose class is known, with a warning, because its miss
        rate is undefined.

    Raises:
        InputError: The table has no such attribute or set; images have a class that the model cannot predict; or a row
            has no true label in a set that the table did not state, or several.

    Example:
        >>> import numpy as np
        >>> from bincam.data import AttributeTable, match_outputs
        >>> sets = {"race": ("race=Black", "race=White")}
        >>> faces = AttributeTable((*sets["race"], "Male"), np.eye(3)[:2, [0, 1, 2]], "ab", "photos", one_of=sets)
        >>> matched = match_outputs(faces, ["White", "Black"], {"race": ["White", "Black"]})
        >>> matched.names, matched.labels.tolist(), matched.one_of
        (('White', 'Black'), [[0.0, 1.0], [1.0, 0.0]], {'race': ('White', 'Black')})
    """
    sets = check_sets(one_of or {}, outputs)
    chosen: Invalid = invalid or table.reading.get("one_of_invalid", "refuse")
    columns: dict[str, NDArray[np.float32]] = {}
    for name, members in sets.items():
        columns |= dict(zip(members, _labels_of_set(table, name, members, chosen).T, strict=True))
    for output in outputs:
        if output not in columns:
            columns[output] = table.labels[:, table.index(output)]
    labels = np.stack([columns[output] for output in outputs], axis=1)
    objects = None if table.objects is None else table.objects.renamed(_models_names(table, sets))
    return replace(table, names=tuple(outputs), labels=labels, one_of=sets, objects=objects)


def _models_names(table: AttributeTable, sets: Sets) -> dict[str, str]:
    """The model's names of the outputs of the table's sets, by the table's."""
    names: dict[str, str] = {}
    for name in sets.keys() & table.one_of.keys():
        of_class = {class_label(output, name): output for output in sets[name]}
        labels = {output: class_label(output, name) for output in table.one_of[name]}
        names |= {output: of_class[label] for output, label in labels.items() if label in of_class}
    return names


def class_label(output: str, name: str) -> str:
    """Return the class that an output of a set stands for: its name, less the name of the set and ``=``.

    >>> class_label("race=White", "race"), class_label("White", "race"), class_label("age=3", "race")
    ('White', 'White', 'age=3')
    """
    return output.removeprefix(f"{name}=")


def _labels_of_set(table: AttributeTable, name: str, members: Sequence[str], invalid: Invalid) -> NDArray[np.float32]:
    """Find the labels ``(N, K)`` of one of the model's sets."""
    source = table.source or str(table.root)
    if name not in table.one_of:
        if all(member in table.names for member in members):
            labels = table.labels[:, [table.index(member) for member in members]]
            return settled(labels, name, invalid, lambda row: f"{source}: image {table.ids[row]!r}", source)
        missing = next(member for member in members if member not in table.names)
        stated = f"states the sets {', '.join(table.one_of)}" if table.one_of else "states no sets"
        raise InputError(
            f"{source}: the model's set {name!r} has the output {missing!r}, which is no column, and the data {stated};"
            f" state it by a column of class names (--one-of-column {name}; of another name: --one-of-column COLUMN"
            f" --one-of-name COLUMN={name}) or by one-hot columns (--data-one-of {name}=...)"
        )
    own = table.one_of[name]
    of_class = _by_class(own, name, source)
    wanted = _by_class(members, name, "the model")
    labels = table.labels[:, list(set_columns({name: own}, table.names)[name])]
    counts = np.count_nonzero(labels == 1, axis=0)
    position = {label: column for column, label in enumerate(of_class)}
    unpredicted = {label: int(counts[position[label]]) for label in of_class if label not in wanted}
    if total := sum(unpredicted.values()):
        label = max(unpredicted, key=lambda key: unpredicted[key])
        raise InputError(
            f"{source}: {counted(total, 'image')} {'has' if total == 1 else 'have'} a class of the set {name!r} that "
            f"the model cannot predict, {unpredicted[label]:,} of them {label!r}{nearest(label, wanted)}; leave these "
            f"images out, or state only the classes of the model ({_option(table, name, own, of_class, wanted)}) and "
            "read the others as unknown (--one-of-invalid unknown)"
        )
    absent = [label for label in wanted if label not in of_class or not counts[position[label]]]
    if absent:
        more = f" (and {len(absent) - 4} more)" if len(absent) > 4 else ""
        one = len(absent) == 1
        warnings.warn(
            f"{source}: no image has the {'class' if one else 'classes'} {', '.join(map(repr, absent[:4]))}{more} of "
            f"the set {name!r}, which the model can predict: {'its miss rate is' if one else 'their miss rates are'} "
            f"undefined, and means over classes leave {'it' if one else 'them'} out",
            BincamWarning,
            stacklevel=3,
        )
    known = np.where(np.isnan(labels[:, :1]), np.nan, 0).astype(np.float32)
    return np.concatenate([labels[:, [position[label]]] if label in of_class else known for label in wanted], axis=1)


def _option(
    table: AttributeTable, name: str, own: Sequence[str], of_class: Sequence[str], wanted: Sequence[str]
) -> str:
    """The option that states a set of the data again, in the way in which it was stated, with the model's classes."""
    reading = table.reading
    if name in reading.get("one_of", {}):
        option = f"--data-one-of {name}"
        classes = [member for member, label in zip(own, of_class, strict=True) if label in wanted]
    else:
        columns, set_names = reading.get("one_of_columns", ()), reading.get("one_of_names", {})
        column = next((column for column in columns if set_names.get(column, column) == name), name)
        option, classes = f"--one-of-column {column}", list(wanted)
    return f"{option}={','.join(classes[:3])}{',...' if len(classes) > 3 else ''}"


def _by_class(members: Sequence[str], name: str, source: str) -> list[str]:
    """The classes of a set's outputs, in order.

    Raises:
        InputError: Two outputs stand for the same class, such as ``White`` and ``race=White``.
    """
    labels = [class_label(output, name) for output in members]
    for label, times in Counter(labels).items():
        if times > 1:
            raise InputError(f"{source}: set {name!r} has two outputs of the class {label!r}")
    return labels


def same_sets(first: Sets, second: Sets) -> bool:
    """Return True if two sets of sets have the same names and outputs, each in the same order.

    >>> same_sets({"sex": ("a", "b")}, {"sex": ("b", "a")})
    False
    """
    return {name: tuple(members) for name, members in first.items()} == {
        name: tuple(members) for name, members in second.items()
    }
