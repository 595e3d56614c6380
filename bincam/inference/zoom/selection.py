"""A few views of a plan: which ones k views are, and views as they are typed or stored in settings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bincam.display import counted
from bincam.errors import InputError
from bincam.inference.zoom.plan import CENTRE, ONE_CROP, Plan, View, scaled, view_plan

Stated = int | Sequence[View | Sequence[int]]
"""k views of the short plan, or views ``(S, row, column)``."""


def centred_first(plan: Plan, count: int) -> Plan:
    """Choose k views of a plan without looking at an image: centred ones first. *Ours*.

    Views are ordered by their anchor, first the centre, then the middles of the four edges, then the corners; within
    these by how far their scale is, as a ratio, from that of the plain prediction (256/224 of the input); of equals the
    larger scale, then by rows and columns. So the first view of a plan that has it is ``plan.one_crop``, and the first
    six of the short plan are its six scales at the centre.

    Args:
        plan: The plan to choose from.
        count: Number of views k.

    Returns:
        A plan of k views.

    Raises:
        InputError: k is not from 1 to the plan's number of views.

    Example:
        >>> from bincam.inference import centred_first, view_plan
        >>> [tuple(view) for view in centred_first(view_plan("short", (224, 224)), 3).views]
        [(224, 1, 1), (256, 1, 1), (320, 1, 1)]
    """
    if not 1 <= count <= len(plan):
        raise InputError(
            f"{count} views cannot be chosen from the {counted(len(plan), 'view')} of the plan {plan.name!r} at an "
            f"input of {plan.input_size[0]} x {plan.input_size[1]} pixels; choose 1 to {len(plan)}"
        )
    plain = scaled(ONE_CROP, plan.input_size)

    def order(view: View) -> tuple[int, float, int, int, int]:
        off_centre = abs(view.row - CENTRE[0]) + abs(view.column - CENTRE[1])
        return off_centre, abs(math.log(view.size / plain)), -view.size, view.row, view.column

    return Plan("own", plan.input_size, tuple(sorted(sorted(plan.views, key=order)[:count])))


def chosen_plan(views: Stated, input_size: tuple[int, int]) -> Plan:
    """Make the plan that a number of views, or a list of views, stands for.

    Args:
        views: k, for the first k of the short plan, see ``centred_first``; or views ``(S, row, column)`` with S in
            pixels, such as those that ``choose_views`` has chosen on other images.
        input_size: ``(H, W)`` that the model takes.

    Raises:
        InputError: k is not from 1 to the short plan's number of views, or a view is impossible or repeated.

    Example:
        >>> from bincam.inference import chosen_plan
        >>> len(chosen_plan(8, (224, 224))), len(chosen_plan([(448, 0, 1)], (224, 224)))
        (8, 1)
    """
    if isinstance(views, int):
        return centred_first(view_plan("short", input_size), views)
    return view_plan(views, input_size)


def parse_views(text: str, option: str = "--views") -> int | tuple[View, ...]:
    """Read views as they are typed: a number, or ``S:ROW:COLUMN`` separated by commas.

    Raises:
        InputError: The text is neither; whether there are such views is checked by ``chosen_plan``.

    Example:
        >>> parse_views("8"), parse_views("256:1:1,448:0:2")
        (8, (View(size=256, row=1, column=1), View(size=448, row=0, column=2)))
    """
    try:
        if ":" not in text:
            return int(text)
        views = [View(*(int(part) for part in entry.split(":"))) for entry in text.split(",")]
    except (ValueError, TypeError):
        raise InputError(
            f"{option} {text}: expected a number of views, such as 8, or views S:ROW:COLUMN separated by commas, such "
            "as 256:1:1,448:0:1"
        ) from None
    return tuple(views)
