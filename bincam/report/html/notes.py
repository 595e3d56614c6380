"""Notes of a page: missing photographs, unknown training counts, maps that show the image, and doubts."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.audit.summary.cells.summary import KEY as CELLS
from bincam.audit.summary.streamed.sampled import sampled_parts
from bincam.report.figures.pictured.examples import Photographs
from bincam.report.reading.audited_model import Arm
from bincam.report.reading.contrast import Contrast
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.words import wording
from bincam.report.sections.zoom.studied import zoom_note
from bincam.stats.formatting import listed

OF_A_SAMPLE = {
    "sets": "examples and labels to check of sets of outputs",
    CELLS: "examples of prediction grids",
    "boxes": "curves and examples of boxes",
}
"""What a page shows of a sample of a long audit's images, by the part of the summary: it needs all of them at once."""


def notes(
    arms: Sequence[Arm], contrast: Contrast | None, photographs: Photographs, attributes: Sequence[str]
) -> list[str]:
    """List what a reader must know of how the page was made.

    Args:
        arms: One audited model, or two.
        contrast: The comparison of the two.
        photographs: The images of the first.
        attributes: The attributes on the page.
    """
    result = []
    if contrast:
        result += [f"{note[0].upper()}{note[1:]}." for note in contrast.document.get("notes") or ()]
        result += [contrast.note] if contrast.note and attributes else []
        result += [f"{note[0].upper()}{note[1:]}." for note in contrast.left_out]
    if photographs.missing:
        result.append(f"Photographs are not shown: {photographs.missing}. Maps are drawn on grey instead.")
    if photographs.note:
        result.append(f"{photographs.note[0].upper()}{photographs.note[1:]}.")
    if photographs.hide_faces:
        result.append("Faces are hidden: every photograph was made unrecognisable before it was embedded.")
    if len(arms) == 1 and (not_shown := zoom_note(arms[0].audit)):
        result.append(not_shown)
    for arm in arms:
        result += map_checks.notes(arm, arm.phrase if len(arms) > 1 else "the model", attributes)
    first, *others = arms
    if first.audit.manifest.train_counts_from != "card":
        model = first.phrase if others else f"the {first.name}"
        result.append(
            f"The training counts of {model} are unknown; minority and majority are those of the audited data."
        )
    if tie := wording.ties(first, attributes):
        result.append(tie)
    for arm in arms:
        whose = f" ({arm.name})" if len(arms) > 1 else ""
        result += [
            f"{doubt['attribute']}{whose}: {_closed(doubt['text'])}" for doubt in arm.summary.get("doubts") or ()
        ]
        result += [f"{note[0].upper()}{note[1:]}{whose}." for note in arm.summary.get("notes") or ()]
        sampled = [of for part, of in OF_A_SAMPLE.items() if sampled_parts(arm.audit)[part]]
        if arm.long is not None and sampled:
            result.append(
                f"{listed(sampled)[0].upper()}{listed(sampled)[1:]}{whose} are of a random sample of "
                f"{arm.sample.most_images:,} of the {arm.audit.manifest.data.images:,} images."
            )
    turned = {arm.phrase: [name for name in attributes if arm.turned(name)] for arm in others}
    result += [
        f"In the training counts of {model} the other class is the minority for {listed(names)}; "
        f"this page uses the minority and majority of {first.phrase} throughout."
        for model, names in turned.items()
        if names
    ]
    return result


def _closed(text: str) -> str:
    return text if text.endswith("?") else f"{text}."
