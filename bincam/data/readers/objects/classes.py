"""Data sets of which every image shows one class: the class as a set of outputs, and boxes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.objects.found import BadBoxes, FoundObjects
from bincam.data.stated_sets import output_name
from bincam.errors import InputError, nearest

SET = "class"


@dataclass
class OneClass:
    """Images with one class each, gathered image by image.

    Attributes:
        source: The file or folder, for messages.
        classes: Names of all classes, in order.
        bad_boxes: As in ``FoundObjects``.
    """

    source: str
    classes: Sequence[str]
    bad_boxes: BadBoxes = "refuse"
    found: FoundObjects = field(init=False)
    _outputs: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(f"{self.source}: {len(self.classes)} class; a set has at least two")
        self._outputs = {name: output_name(SET, name) for name in self.classes}
        self.found = FoundObjects(self.source, tuple(self._outputs.values()), self.bad_boxes)

    def image(
        self, name: str, label: str | None, where: str, size: tuple[int, int] | None = None, split: str = ""
    ) -> None:
        """Add an image with its class; None where it is not known.

        Raises:
            InputError: It is there already, or there is no such class.
        """
        self.found.image(name, where, size, split)
        if label is None:
            self.found.unlabelled.add(name)
        else:
            self.found.present(name, self._output(label, where))

    def box(self, name: str, label: str, ends: Sequence[float], where: str) -> None:
        """Add a box, as ``FoundObjects`` does."""
        self.found.box(name, self._output(label, where), ends, where)

    def _output(self, label: str, where: str) -> str:
        if label not in self._outputs:
            raise InputError(f"{where}: class {label!r}{nearest(label, self._outputs)}")
        return self._outputs[label]

    def table(self, root: Path, one_of: Mapping[str, tuple[str, ...]] | None = None, **extra: Any) -> AttributeTable:
        """Make the table, with the set ``class``.

        Raises:
            InputError: There are no images.
        """
        own = {SET: tuple(self.found.classes)}
        return self.found.table(root, one_of={**own, **(one_of or {})}, with_splits=True, **extra)


def class_numbers(cells: Sequence[tuple[str, str]], what: str) -> list[int]:
    """Read numbers of classes, whole and from 0 on.

    Args:
        cells: Place and text of each.
        what: Begins the message.

    Raises:
        InputError: One is none.

    >>> class_numbers([("a.txt:1", "3")], "a class")
    [3]
    """
    for place, text in cells:
        if not text.isdecimal():
            raise InputError(f"{place}: {what} is a whole number from 0, got {text!r}")
    return [int(text) for _, text in cells]
