"""What a long audit's summary says of a sample of its images: sets of outputs, prediction grids and boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.parts.sampled import of_a_sample
from bincam.audit.summary.cells.summary import KEY as CELLS

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

WHAT = {"sets": "sets of outputs", CELLS: "prediction grids", "boxes": "boxes"}
"""Parts of a summary whose figures need all of their images at once, by their key."""


def sampled_parts(audit: Audit) -> dict[str, bool]:
    """Tell which of ``WHAT`` an audit has."""
    manifest = audit.manifest
    return {"sets": bool(audit.one_of), CELLS: manifest.cells is not None, "boxes": manifest.boxes is not None}


def with_sample(
    summary: dict[str, Any], of_sample: Mapping[str, Any], parts: Sequence[str], images: int
) -> dict[str, Any]:
    """Add the figures of a sample to a summary, and say so.

    Args:
        summary: Of all images.
        of_sample: The summary of the sample.
        parts: The keys of ``WHAT`` that the audit has.
        images: Number of images of the sample.

    Returns:
        The same summary, with ``sampled`` in ``streamed`` and a note.

    >>> summary = {"streamed": {}, "notes": [], "attributes": {}, "images": 10**6}
    >>> with_sample(summary, {"boxes": {}}, ["boxes"], 10)["notes"]
    ['figures of boxes are of a random sample of 10 of the 1,000,000 images']
    """
    for name in parts:
        if name in of_sample:
            summary[name] = of_sample[name]
    for name, entry in of_sample.get("attributes", {}).items():
        if CELLS in entry and name in summary["attributes"]:
            summary["attributes"][name][CELLS] = entry[CELLS]
    if "sets" in parts:
        of_sets = {*of_sample["sets"], *(name for one in of_sample["sets"].values() for name in one["outputs"])}
        for key in ("doubts", "slices", "group_differences"):
            summary[key] += [entry for entry in of_sample[key] if entry["attribute"] in of_sets]
        there = {family["name"] for family in summary["families"]}
        summary["families"] += [family for family in of_sample["families"] if family["name"] not in there]
    summary["streamed"]["sampled"] = {"parts": list(parts), "images": images}
    summary["notes"].append(of_a_sample([WHAT[name] for name in parts], images, summary["images"]))
    return summary
