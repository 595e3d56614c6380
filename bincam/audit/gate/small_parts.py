"""Parts of the images that a figure rests on: both classes, or all outputs of a set. The smallest of them limits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.audit.gate.verdict import needed
from bincam.audit.summary.label_noise import NOISE_RATES
from bincam.stats.estimate import Estimate, is_small
from bincam.stats.formatting import counted, images

OF_BOTH_CLASSES = ("auroc", "ap", "balanced_error", *NOISE_RATES)
"""Rates that need images of both classes of an attribute, or of an output and of the others."""

OF_OUTPUTS = {"minority_error": ("minority",), "majority_error": ("majority",),
              "balanced_accuracy": ("minority", "majority"), "macro_auroc": ("minority", "majority")}  # fmt: skip
"""Means over the outputs of a set, to the keys of the entry that list these."""


def few_in_a_part(measure: str, name: str, entry: Mapping[str, Any]) -> str:
    """Write which part of a rate's images is too small, how many it has, and how many are needed.

    Args:
        measure: The rate.
        name: The attribute, set or output.
        entry: Its entry in the summary.

    Returns:
        The reason; empty if no part is too small, or the rate has none.

    >>> rates = {"fnr": {"value": 0.1, "images": 7, "identities": None}, "fpr": {"value": 0.1, "images": 113}}
    >>> few_in_a_part("auroc", "Bald", {"rates": rates})
    "too few positive images of 'Bald': 7 images; at least 20 are needed"
    >>> few_in_a_part("macro_auroc", "hair", {"minority": ["red"], "majority": ["dark"], "outputs": {
    ...     "red": {"rates": rates}, "dark": {"rates": {"fnr": rates["fpr"], "fpr": rates["fnr"]}}}})
    "too few images of 1 of 2 outputs, fewest of 'red': 7 images; at least 20 are needed"
    """
    if measure in OF_OUTPUTS and "outputs" in entry:
        names = [output for key in OF_OUTPUTS[measure] for output in entry.get(key, ())]
        parts = {output: _misses(entry["outputs"][output]) for output in names}
        present = {output: part for output, part in parts.items() if part.images}
        small = {output: part for output, part in present.items() if is_small(part.images, part.identities)}
        if not small:
            return ""
        fewest = min(small, key=lambda output: small[output].images)
        of = f"{len(small)} of {counted(len(present), 'output')}"
        return f"too few images of {of}, fewest of {fewest!r}: {images(small[fewest])}; {needed(small[fewest])}"
    rates: Mapping[str, Any] = entry.get("rates") or {}
    if measure not in OF_BOTH_CLASSES or not {"fnr", "fpr"} <= rates.keys():
        return ""
    of_class = {rate: Estimate.from_json(rates[rate]) for rate in ("fnr", "fpr")}
    rate = min(of_class, key=lambda one: of_class[one].images)
    part = next((p for p in (of_class[rate], *of_class.values()) if is_small(p.images, p.identities)), None)
    if part is None:
        return ""
    positive = part == of_class["fnr"]
    if "train_images" in entry:  # an output of a set
        which = f"images of {name!r}" if positive else f"images of other outputs than {name!r}"
    else:
        which = f"{'positive' if positive else 'negative'} images of {name!r}"
    return f"too few {which}: {images(part)}; {needed(part)}"


def _misses(output: Mapping[str, Any]) -> Estimate:
    """The miss rate of an output, which rests on its own images."""
    return Estimate.from_json(output["rates"]["fnr"])
