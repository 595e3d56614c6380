"""What the maps are worth, in sentences: do they depend on the model, and are they the attribute's own?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.reading.audited_model import Arm
from bincam.report.view.parts import Definition
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, listed, number, percent, written

RANDOMISATION = Definition(
    "Model-parameter randomisation test",
    "All parameters of the model are permuted, and the same images are explained again (Adebayo et al. 2018). A "
    "method fails if its maps are the same for every image: less than 5\u202f% of their variance is left without each "
    "attribute's mean map. It also fails if, without the mean maps, |Spearman| of the learned and a random "
    "network's map is greater for the same image than for images of different people, by more than 0.05 at the lower "
    "bound (one-sided 95\u202f%); it passes if the upper bound is below that, and else the test cannot tell. The mean "
    "map itself is left out of the comparison: every network has one, and maps as drawn still show it.",
)

SPECIFICITY = Definition(
    "Own share and own region",
    "Own share: the part of an attribute's map, without its mean map, that ridge regression on the other attributes' "
    "maps of the same images does not explain, on images of other people; 0 is a map that is made of the others, 1 one "
    "that has nothing to do with them. Beside it that of heads whose rows are drawn at random from the head's own. "
    "Own region: on images with the attribute, the share of its evidence in its region, less that of attributes whose "
    "regions and labels have nothing to do with it. A map is marked as showing the image, not the attribute, if both "
    "are at most five points above chance.",
)

IMAGE = "shows the image, not the attribute"
"""The mark of ``attribute_specificity`` that is a warning."""


def notes(arm: Arm, model: str, attributes: Sequence[str]) -> list[str]:
    """Write what must be known before a map is read.

    Args:
        arm: The audited model.
        model: Its name in a sentence.
        attributes: The attributes on the page.
    """
    marked = [name for name in attributes if _entry(arm, name).get("mark") == IMAGE]
    if not marked:
        return []
    of = "" if model == "the model" else f" of {model}"
    return [
        f"Maps{of} that show the image, not the attribute: {listed(marked)}. The other attributes' maps explain them, "
        "and their regions hold no more of their evidence than of that for unrelated attributes."
    ]


def tested(arm: Arm) -> str:
    """Write the result of the randomisation test, with its figures, for the provenance."""
    gate = arm.gate
    if gate is None:
        return "not run"
    words = {"pass": "passed", "fail": "not passed", "cannot tell": "undecided"}
    verdict = words.get(str(gate.get("verdict")), "passed" if gate.get("passed") else "not passed")
    figures = [f"{verdict} by {arm.method}"]
    left, excess = (Estimate.from_json(gate.get(name)) for name in ("variance_left", "excess"))
    if left.defined:
        figures.append(f"{percent(left.value)} of the maps' variance is left without their mean map")
    if excess.defined:
        figures.append(
            f"|Spearman| of the same image greater by {written(excess, 'difference')} (one-sided 95\u202f% bounds, "
            f"{counted(excess.images, 'image')})"
        )
    if gate.get("template") is not None:
        figures.append(f"|Spearman| of the mean maps themselves {number(gate['template'])}")
    return "; ".join(figures)


def own_maps(arms: Sequence[Arm], attribute: str) -> list[str]:
    """Write a sentence on an attribute's specificity for each model whose audit has it."""
    found = [(arm, text) for arm in arms if (text := _own_map(arm, attribute))]
    return [f"{arm.name}: {text[0].lower()}{text[1:]}" if len(arms) > 1 else text for arm, text in found]


def _own_map(arm: Arm, attribute: str) -> str:
    entry = _entry(arm, attribute)
    share, region = Estimate.from_json(entry.get("own_share")), Estimate.from_json(_excess(entry))
    if not share.defined and not region.defined:
        return ""
    parts = []
    if share.defined:
        null = "" if entry.get("null") is None else f" (of a row of a random head: {percent(entry['null'])})"
        parts.append(f"the other attributes' maps leave {written(share, 'percent')} of its variance unexplained{null}")
    if region.defined:
        parts.append(
            f"the share of its evidence in its region, less that of the evidence for "
            f"{counted(len(entry['competitors']), 'unrelated attribute')}, is {written(region, 'points')}"
        )
    marks = {
        "its own": "The map is the attribute's own",
        IMAGE: "The map shows the image, not the attribute",
    }
    lead = marks.get(entry["mark"], "Whether the map is the attribute's own cannot be told")
    return f"{lead}: {' and '.join(parts)}."


def _entry(arm: Arm, attribute: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (arm.summary.get("specificity") or {}).get("attributes", {}).get(attribute) or {}
    return found


def _excess(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (entry.get("region") or {}).get("excess")


def shows_the_image(arm: Arm, attribute: str) -> bool:
    """Return True where an attribute's maps were found to show the image, not the attribute."""
    return bool(_entry(arm, attribute).get("mark") == IMAGE)
