"""What the maps of a page are counted from, and the bias share from the same reference beside it."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.display import counted
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.words import sentences, wording
from bincam.stats.formatting import listed, stated

NAMES = {
    "zero": "zero",
    "midpoint": "the midpoint reference",
    "template": "the template",
    "attribute_mean": "the mean of all attributes",
}
"""Words for a reference of maps."""

_LEADS = {
    "zero": "Maps are counted from zero: what they leave out is the head's own constant",
    "midpoint": "Maps are counted from {midpoint}, and so is the bias share",
    "template": (
        "Maps are counted from the template, the mean map of other images less its mean over the cells; it sums to 0, "
        "so what the maps leave out is still the head's own constant"
    ),
    "attribute_mean": (
        "Maps are counted from the mean of the maps of all {count} of the image: they show by how much the logit "
        "exceeds the mean of all logits. Bias shares are not of these differences"
    ),
}


def counted_from(arm: Arm) -> str:
    """Name what the maps of an audit are counted from, such as ``zero``."""
    return NAMES.get(arm.audit.manifest.map_reference, arm.audit.manifest.map_reference)


def maps_and_shares(arms: Sequence[Arm], attribute: str) -> list[str]:
    """State beside the maps of an attribute what they are counted from, with bias shares from there, or from both.

    Args:
        arms: The audited models, whose maps are counted from the same reference.
        attribute: The attribute.

    Returns:
        A sentence, or one for each model where there are several.
    """
    first = arms[0].audit.manifest
    lead = _LEADS.get(first.map_reference, f"Maps are counted from {first.map_reference}").format(
        midpoint=wording.reference(arms[0]), count=counted(len(first.yes_or_no), "attribute")
    )
    shares = [_shares(arm, attribute, first.map_reference) for arm in arms]
    if not any(shares):
        return [f"{lead}."]
    if len(arms) == 1:
        return [f"{lead}. {shares[0]}"]
    named = [f"{arm.phrase[0].upper()}{arm.phrase[1:]}: {text}" for arm, text in zip(arms, shares, strict=True) if text]
    return [f"{lead}.", *named]


def _shares(arm: Arm, attribute: str, reference: str) -> str:
    """Write the bias shares at zero and at the midpoint where the majority is predicted, first that of the maps."""
    columns = {"zero": ("zero.bias_share", "from zero"), "midpoint": ("bias_share", "from the midpoint")}
    order = ("midpoint", "zero") if reference == "midpoint" else ("zero", "midpoint")
    texts = []
    for name in order:
        column, words = columns[name]
        estimate = arm.measure(attribute, column, "predicted:majority")
        if estimate.defined:
            texts.append(f"{stated(estimate, 'percent')} {words}")
    if not texts:
        return ""
    return f"Bias share where it predicts “{sentences.answer(arm, attribute, False)}”: {listed(texts)}."
