"""Measures of boxes in rules: where the summary keeps them, and what cannot be judged on a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bincam.errors import InputError, nearest
from bincam.metrics.localization.boxes.verdict import JUDGED

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

BOX_MEASURES: Mapping[str, tuple[str, ...]] = {
    "box_accuracy": ("known", "fixed"),
    "box_accuracy_chosen": ("known", "chosen"),
    "box_max_accuracy": ("known", "max_box_acc"),
    "box_v2": ("known", "v2"),
    "box_top1": ("top_1", "fixed"),
    "box_over_constant": ("over_constant",),
    "box_pxap": ("pxap",),
    "box_pointing": ("pointing",),
    "box_pointing_over_chance": ("pointing_over_chance",),
    "box_reach": ("reach",),
}
"""Measures of boxes, and the keys that lead to each in an entry of the summary's ``boxes``."""

OF_THE_GRID = ("box_reach", "box_pxap", "box_pointing", "box_pointing_over_chance")
"""Measures that a grid allows to judge on which boxes cannot be."""


def check_boxes(attribute: str | None, measure: str, audit: Audit, where: str) -> None:
    """Refuse a rule on boxes that an audit has not measured.

    Args:
        attribute: The attribute of the rule; None for all, ``overall`` for the pairs of all that can be judged.
        measure: Of ``BOX_MEASURES``.
        audit: The audit.
        where: Start of the message.

    Raises:
        InputError: The audit has no boxes, or none of this attribute.
    """
    source = getattr(getattr(audit, "manifest", None), "boxes", None)
    if source is None:
        raise InputError(f"{where}: {measure} is of boxes, and the audit has measured none; make it with --boxes")
    names = (*source.attributes, "overall")
    if attribute is not None and attribute not in names:
        raise InputError(f"{where}: no boxes of {attribute!r} were measured{nearest(attribute, names)}")


def box_names(summary: Mapping[str, Any]) -> list[str]:
    """List the attributes that have boxes."""
    return list((summary.get("boxes") or {}).get("attributes", ()))


def box_figure(summary: Mapping[str, Any], measure: str, name: str) -> Mapping[str, Any] | None:
    """Find the estimate of a measure of boxes; None where an earlier summary lacks it.

    An estimate that the grid does not allow to judge is undefined, with the reason.

    >>> entry = {"judgement": "cannot be judged on this grid", "known": {"fixed": {"value": 0.1}}}
    >>> box_figure({"boxes": {"attributes": {"star": entry}}}, "box_accuracy", "star")["reason"]
    'cannot be judged on this grid'
    """
    boxes = summary.get("boxes") or {}
    figure = boxes.get("overall") if name == "overall" else boxes.get("attributes", {}).get(name)
    judgement = (figure or {}).get("judgement", JUDGED)
    for key in BOX_MEASURES[measure]:
        figure = None if figure is None else figure.get(key)
    if figure is None or measure in OF_THE_GRID or judgement == JUDGED:
        return figure
    return {**figure, "value": None, "low": None, "high": None, "reason": judgement, "too_few": True}
