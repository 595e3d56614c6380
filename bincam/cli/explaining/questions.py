"""Questions that ``bincam explain`` answers: which go together, and what those about views, boxes and sets ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bincam.cli.reading.options import parse_assignments, parse_number
from bincam.data.regions.boxes import checked_boxes
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.report.explained.boxes import AskedBoxes

if TYPE_CHECKING:
    from bincam.inference.zoom.plan import Plan
    from bincam.models import Card
    from bincam.report.explained.sets import AskedSets

METHOD = "grad_cam"
READINGS = ("frozen", "pointwise")
SIDES = ("predicted", "positive", "negative", "any")


def refuse_contradictions(
    *,
    side: str,
    method: str,
    layer: str | None,
    grid: bool,
    reading: str | None,
    views: str | None,
    boxes: bool,
    sets: Path | None,
    sets_by: str | None,
) -> None:
    """Refuse options that no request can contain together; they are named as on the command line.

    Raises:
        InputError: The side or the reading is unknown, or one option leaves nothing for another to act on.
    """
    if side not in SIDES:
        raise InputError(f"--side {side}{nearest(side, SIDES)}")
    if grid and (method != METHOD or layer is not None):
        asked_of_maps = f"--layer {layer}" if layer is not None else f"--method {method}"
        raise InputError(f"{asked_of_maps} is of maps and --grid draws none; leave out one of the two")
    if reading is not None and (not grid or reading not in READINGS):
        known = nearest(reading, READINGS) if grid else " is of prediction grids; add --grid"
        raise InputError(f"--reading {reading}{known}")
    if views is not None and (grid or boxes):
        what = "--grid: cells" if grid else "--boxes: boxes"
        raise InputError(f"--views is not combined with {what} are of the image as the model sees it; leave out one")
    if views is not None and side == "any":
        raise InputError("--side any is of methods without sides, which --views does not average; leave out one")
    if sets_by is not None and sets is None:
        raise InputError(f"--sets-by {sets_by} is a rule of a study; name the study with --sets")


def read_views(typed: str | None, card: Card) -> Plan | None:
    """Read ``--views``; None without it.

    Raises:
        InputError: No views, more than there are.
    """
    if typed is None:
        return None
    from bincam.inference import chosen_plan
    from bincam.inference.zoom.selection import parse_views

    return chosen_plan(parse_views(typed), card.input_size)


def tell_cost(plan: Plan) -> None:
    """Tell what views cost, once nothing can be refused any more."""
    typer.echo(
        f"bincam: {counted(len(plan), 'view')}, so {counted(len(plan), 'forward pass', 'forward passes')} per image",
        err=True,
    )


def read_boxes(
    typed: Sequence[str] | None, images: int, attributes: Sequence[str], *, boxes: bool, grid: bool
) -> AskedBoxes | None:
    """Read what ``--boxes`` and ``--true-box`` ask for; None for no boxes.

    Raises:
        InputError: A true box without ``--boxes`` or of several images, of no explained attribute, or not four numbers.
    """
    if typed and not boxes:
        raise InputError("--true-box is compared with the boxes of maps; add --boxes")
    if not boxes:
        return None
    if grid:
        raise InputError("--boxes are of maps and --grid draws none; leave out one of the two")
    if typed and images > 1:
        raise InputError(f"--true-box is of one image, and {images} are explained; explain them one by one")
    true = {}
    for name, text in parse_assignments("--true-box", typed, "NAME=X0,Y0,X1,Y1").items():
        if name not in attributes:
            raise InputError(f"--true-box {name}={text}: no attribute that is explained{nearest(name, attributes)}")
        ends = [parse_number(f"--true-box {name}={text}", end) for end in text.split(",")]
        if len(ends) != 4:
            raise InputError(f"--true-box {name}={text}: expected four numbers x0,y0,x1,y1")
        true[name] = checked_boxes(ends, where=f"--true-box {name}")
    return AskedBoxes(true=true)


def read_sets(folder: Path, rule: str | None) -> AskedSets:
    """Read what ``--sets`` and ``--sets-by`` ask for.

    Raises:
        InputError: There is no finished study, or it has no such rule.
    """
    from bincam.report.explained.sets import AskedSets
    from bincam.studies.sets.stored import read_rules

    asked = AskedSets(read_rules(folder), rule)
    asked.rules.of(rule)
    return asked
