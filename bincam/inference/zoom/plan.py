"""Plans of views: the scales and anchors at which a model looks at an image.

A view (S, p) is that of Taesiri et al. (NeurIPS 2023, arXiv 2304.05538): the image is resized until its shorter side is
S, and a crop of the model's input size is taken around one of 3 × 3 anchors. What is beyond the image is black.
"""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bincam.display import counted
from bincam.errors import InputError, nearest

ANCHORS = 3
"""Anchors per axis."""

REFERENCE = 224
"""Input size, in pixels, for which the published scales are stated."""

PAPER = (
    *(10, 16, 32, 48, 64, 96, 122, 128, 192, 224, 235, 240, 256, 288, 320, 348, 384, 448, 460, 512, 573, 576, 640, 664),
    *(672, 680, 686, 690, 700, 720, 768, 798, 832, 896, 911, 1024),
)
"""The 36 scales S of the paper's code, for an input of 224 pixels: 27 chosen ones and ten equally spaced to 1024."""

SHORT = (128, 224, 256, 320, 448, 640)
"""The six scales of the short plan, all among the paper's: .57, 1, 1.14, 1.43, 2 and 2.86 times 224 pixels."""

ONE_CROP = 256
"""Scale of the paper's plain prediction, at the centre anchor, for an input of 224 pixels."""

_NAMED = {"paper": PAPER, "short": SHORT}


class View(NamedTuple):
    """One view of an image.

    Attributes:
        size: S, the shorter side of the resized image in pixels.
        row: Row of the anchor, 0 to 2 from the top.
        column: Column of the anchor, 0 to 2 from the left.

    Example:
        >>> View(size=256, row=1, column=1) in view_plan("short", (224, 224)).views
        True
    """

    size: int
    row: int
    column: int


LARGEST = 1 << 16
"""Greatest scale S, in pixels."""

CENTRE = (1, 1)
"""Row and column of the centre anchor."""


@dataclass(frozen=True)
class Plan:
    """Views at which every image is looked at; the cost is images × views forward passes.

    Attributes:
        name: ``paper``, ``short`` or ``own``.
        input_size: ``(H, W)`` of a view in pixels.
        views: The views, sorted by scale, then by rows and columns of anchors.
        coinciding: Groups of published scales that are the same number of pixels at this input size.

    Example:
        >>> from bincam.inference import view_plan
        >>> plan = view_plan("paper", (224, 224))
        >>> len(plan), len(plan.sizes), plan.views[plan.one_crop]
        (324, 36, View(size=256, row=1, column=1))
        >>> small = view_plan("paper", (32, 32))
        >>> len(small), small.coinciding[0]
        (306, (235, 240))
    """

    name: str
    input_size: tuple[int, int]
    views: tuple[View, ...]
    coinciding: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.views)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The scales S, ascending."""
        return tuple(sorted({view.size for view in self.views}))

    @property
    def one_crop(self) -> int | None:
        """Index of the view that the paper calls the plain prediction, S = 256/224 of the input at the centre anchor.

        It differs from a centre crop: anchors are rounded down twice, so that it lies up to two pixels further up and
        left. None where it is not planned.
        """
        view = View(scaled(ONE_CROP, self.input_size), *CENTRE)
        return self.views.index(view) if view in self.views else None

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object, which says whether a study may be continued."""
        return {"name": self.name, "input_size": list(self.input_size), "views": [list(view) for view in self.views]}


def view_plan(plan: str | Sequence[View | Sequence[int]], input_size: tuple[int, int]) -> Plan:
    """Make a plan by name, or from a list of views.

    Scales are stated for an input of 224 pixels, and multiplied with the shorter side of the model's input over 224 and
    rounded to whole pixels. *Ours*, because the paper has this input alone. Where scales coincide, their views are run
    once, and ``coinciding`` names them.

    Args:
        plan: ``"paper"``, 36 scales × 9 anchors = 324 views; ``"short"``, 6 × 9 = 54; or views ``(S, row, column)``
            with S in pixels of the resized image's shorter side, which is not multiplied.
        input_size: ``(H, W)`` that the model takes, such as ``card.input_size``.

    Raises:
        InputError: An unknown name, no views, repeated ones, or a scale or anchor that does not exist.

    Example:
        >>> from bincam.inference import view_plan
        >>> view_plan("short", (224, 224)).sizes
        (128, 224, 256, 320, 448, 640)
        >>> len(view_plan([(256, 1, 1), (512, 0, 2)], (224, 224)))
        2
    """
    height, width = _sides(input_size)
    if isinstance(plan, str):
        if plan not in _NAMED:
            raise InputError(f"unknown plan of views {plan!r}{nearest(plan, _NAMED)}")
        sources: dict[int, list[int]] = {}
        for source in _NAMED[plan]:
            sources.setdefault(scaled(source, (height, width)), []).append(source)
        views = [View(size, r, c) for size in sources for r in range(ANCHORS) for c in range(ANCHORS)]
        same = tuple(tuple(group) for group in sources.values() if len(group) > 1)
        return Plan(plan, (height, width), tuple(sorted(views)), same)
    if not isinstance(plan, Iterable) or isinstance(plan, Mapping):
        raise InputError(f"plan={plan!r}: expected 'paper', 'short', or a list of views (S, row, column)")
    own = [_view(entry) for entry in plan]
    if not own:
        raise InputError("a plan without views; name 'paper' or 'short', or list views (S, row, column)")
    repeated = sorted(view for view, times in Counter(own).items() if times > 1)
    if repeated:
        raise InputError(
            f"the plan repeats {counted(len(repeated), 'view')}, first {tuple(repeated[0])}; each is run once, so list "
            "it once"
        )
    return Plan("own", (height, width), tuple(sorted(own)))


def scaled(source: int, input_size: tuple[int, int]) -> int:
    """Convert a scale for an input of 224 pixels to another input size, by its shorter side; at least 1 pixel.

    >>> scaled(256, (224, 224)), scaled(256, (64, 96)), scaled(1, (32, 32))
    (256, 73, 1)
    """
    return max(1, (2 * source * min(input_size) + REFERENCE) // (2 * REFERENCE))


def _sides(input_size: Any) -> tuple[int, int]:
    """``(H, W)`` of a view, or an error of one line."""
    sides = tuple(input_size) if isinstance(input_size, Iterable) and not isinstance(input_size, str) else ()
    if len(sides) != 2 or not all(_is_whole(side) and side >= 1 for side in sides):
        raise InputError(f"views have the model's input size, (H, W) of at least 1 pixel a side, got {input_size!r}")
    return int(sides[0]), int(sides[1])


def _is_whole(value: Any) -> bool:
    """True for a whole number, also one of numpy or a float, and not for True."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return bool(value == value // 1)


def _view(entry: Any) -> View:
    values = tuple(entry) if isinstance(entry, Iterable) and not isinstance(entry, str | Mapping) else (entry,)
    whole = len(values) == 3 and all(_is_whole(value) for value in values)
    if not whole or not 1 <= values[0] <= LARGEST or not all(0 <= place < ANCHORS for place in values[1:]):
        raise InputError(
            f"view {values} of the plan: expected (S, row, column) with a scale S of 1 to {LARGEST:,} pixels and "
            f"anchors from 0 to {ANCHORS - 1}"
        )
    return View(*(int(value) for value in values))
