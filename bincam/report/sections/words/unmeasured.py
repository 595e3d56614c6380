"""Images, logits, regions and masks that an audit could not measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bincam.report.reading.audited_model import Arm
from bincam.report.view_model import Listing
from bincam.stats.formatting import counted

if TYPE_CHECKING:
    from bincam.audit import Audit

SOURCES = {
    "region": "The region is outside the crop",
    "object": "The object's mask is outside the crop",
    "influence": "The influence mask is outside the crop",
}
MASKS = {"": "the region", "object_": "the object's mask", "influence_": "the influence mask"}


def unmeasured(arms: Sequence[Arm]) -> list[Listing]:
    """List what was not measured, per arm; arms with the same list share it, arms without one are omitted."""
    lists = {arm.name: _entries(arm) for arm in arms if arm.audit.unmeasured}
    if len(lists) > 1 and len({tuple(entries) for entries in lists.values()}) == 1:
        return [Listing(" and ".join(lists), next(iter(lists.values())))]
    return [Listing(name, entries) for name, entries in lists.items()]


def _entries(arm: Arm) -> list[str]:
    document = arm.audit.unmeasured
    entries = []
    if document["skipped"]:
        reasons = arm.audit.images["skipped"]
        first = reasons[reasons != ""].iloc[0]
        rest = f"is excluded: {first}" if document["skipped"] == 1 else f"are excluded. The first: {first}"
        entries.append(f"{counted(document['skipped'], 'image')} could not be read and {rest}")
    if document["nan_logits"]:
        entries.append(f"Images whose logit is NaN or infinite are excluded: {_counted(document['nan_logits'])}.")
    if document.get("undefined_sets"):
        entries.append(
            f"Images with a score that is NaN or infinite are excluded from the whole set: "
            f"{_counted(document['undefined_sets'])}."
        )
    for source, counts in document["outside_the_crop"].items():
        if counts:
            of = document["with_a_mask"].get(source, {})
            entries.append(f"{SOURCES.get(source, source)}, so nothing is measured against it: {_counted(counts, of)}.")
    for column, counts in document.get("regions_below_a_cell", {}).items():
        entries.append(f"{below_a_cell(arm.audit, column)}: {_counted(counts)}.")
    entries += [
        f"No slices: {left_out['reason']}." for left_out in (arm.audit.summary or {}).get("slices_left_out", [])
    ]
    entries += [f"{note[:1].upper()}{note[1:]}." for note in document["notes"]]
    return entries


def below_a_cell(audit: Audit, column: str) -> str:
    """Give the reason why a gain is undefined where energy is not.

    Args:
        audit: The audit.
        column: Its record column, such as ``grad_cam.object_gain``.
    """
    method, _, measure = column.rpartition(".")
    grid = audit.manifest.grid.get(method)
    cells = f" of the {grid[0]} × {grid[1]} cells" if grid else " cell"
    return (
        f"Less than one{cells} of {method}'s maps is inside or outside of {MASKS[measure.removesuffix('gain')]}, which "
        "is finer than the maps are, so the gain is undefined"
    )


def _counted(counts: Mapping[str, int], of: Mapping[str, int] | None = None) -> str:
    """``Bald 3 of 20 images, Smiling 1 of 48 images``."""
    shares = of or {}
    return ", ".join(
        f"{name} {count:,} of {counted(shares[name], 'image')}"
        if name in shares
        else f"{name} {counted(count, 'image')}"
        for name, count in counts.items()
    )
