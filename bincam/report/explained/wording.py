"""What figures say of explanations: the lines under an attribute's name, and the caption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.report.explained.photographs import fit_note
from bincam.report.explained.views import views_note
from bincam.stats import formatting
from bincam.stats.formatting import percent, significant

ASKED: dict[str | None, str] = {
    None: "log-odds against all other outputs",
    "runner_up": "differences to the best other output",
    "mean": "differences to the mean of the set",
    "nothing": "raw scores, which cannot be compared between outputs",
}
"""Meaning of the logits of outputs in sets, by the question."""
COUNTED = {
    "zero": "Maps and bias share are counted from zero.",
    "midpoint": "Maps are counted from the midpoint, halfway between images with and without the attribute.",
    "template": "Maps are counted from the template, the mean map of other images, which sums to 0.",
    "attribute_mean": "Maps are counted from the mean of all attributes: by how much the logit exceeds their mean.",
}
"""What maps are counted from, by the document's reference."""
_BOXES = " Amber: the box around the largest part of the map above a share τ of its maximum; white, dashed: a true box."


def summary(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Write the lines under an attribute's name in a figure: logit, prediction and bias share.

    Args:
        entry: An entry of :func:`describe`.
    """
    share = _shares(entry)
    in_set = "one_of" in entry
    threshold = f", set {entry['one_of']}" if in_set else f", threshold {significant(entry['threshold'], 3)}"
    if entry["logit"] is None:
        return f"logit undefined{threshold}", "no prediction", f"bias share {share}"
    shows = {"positive": "evidence for YES", "negative": "evidence for NO", None: "activation, no side"}
    positive = entry["predicted"] == "positive"
    probability = percent(entry["probability"])
    answer = f"predicts {'YES' if positive else 'NO'}"
    if in_set and positive and entry["probability"] < 0.5:
        answer = f"taken with p = {probability}"
    return (
        f"logit {formatting.number(entry['logit'], signed=True)} (p = {probability}){threshold}",
        f"{answer}; map: {shows[entry['explained']]}",
        f"bias share {share}" + (", no positive evidence" if _is_empty(entry) else "") + _off_image(entry),
    )


def _is_empty(entry: Mapping[str, Any]) -> bool:
    """Decide if nothing supports the side: in the ledger of the map's reference, or in the map where it has none."""
    own = entry["ledger"].get(entry.get("reference", "zero"))
    if own is not None:
        return bool(own["empty"] == 1)
    cells = [value for line in entry["map"] for value in line]
    return None not in cells and max(cells) <= 0


def _shares(entry: Mapping[str, Any]) -> str:
    """Write the bias share from what the map is counted from; from zero too, or alone, where that is something else."""
    reference = entry.get("reference", "zero")
    own, zero = entry["ledger"].get(reference), _share(entry["ledger"]["zero"])
    if reference == "zero":
        return zero
    return f"{zero} from zero" if own is None else f"{_share(own)} from the {reference}, {zero} from zero"


def _share(ledger: Mapping[str, Any]) -> str:
    return "undefined" if ledger["bias_share"] is None else percent(ledger["bias_share"])


def _off_image(entry: Mapping[str, Any]) -> str:
    beyond = entry.get("beyond")
    return "" if beyond is None else f"; beyond the image {formatting.number(beyond, signed=True)}"


def caption(document: Mapping[str, Any]) -> str:
    """State below a figure how its maps were made, and what may be claimed."""
    sets = document.get("one_of")
    versus = document.get("versus")
    log_odds = sets and versus is None
    parts = ["the maps", "the bias"]
    parts += ["the evidence beyond the image"] if document.get("views") else []
    parts += ["the mean of all attributes"] if document.get("reference") == "attribute_mean" else []
    parts += ["the entropy of the alternatives"] if log_odds else []
    terms = f"{', '.join(parts[:-1])} and {parts[-1]}"
    claims = {True: f"{terms} add up to the logit", False: "the maps do not add up to the logit"}
    asked = ASKED.get(versus, f"differences to {versus}")
    return (
        f"{document['method']} at {document['layer']}; {document['anatomy']['kind']}: {document['anatomy']['reason']}; "
        f"{claims[document['complete']]}. Red supports the explained side, blue opposes it; each attribute"
        f"{', and each set of outputs,' if sets else ''} has one scale in all figures of this call."
        + (f" Of a set ({', '.join(sets)}) exactly one output is true; its logits are {asked}." if sets else "")
        + f" {COUNTED.get(document.get('reference', 'zero'), '')}"
        + " Bias share: the part of the support that is not located in the image."
        + views_note(document)
        + fit_note(document)
        + (_BOXES if any("boxes" in image for image in document.get("images", ())) else "")
    )
