"""Doubts about an audit's settings that its own figures raise: swapped classes, thresholds, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bincam.audit.summary.panel import Panel
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, number, stated

HALF = 0.5  # the AUROC of chance


def doubts(panel: Panel, entries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """List what an auditor should check before any figure is believed.

    Args:
        panel: The records.
        entries: The entries of the attributes in the summary.

    Returns:
        ``attribute``, ``kind`` (``swapped``, ``threshold`` or ``constant``) and ``text`` of each doubt.
    """
    result = []
    for a, attribute in enumerate(panel.attributes):
        logit = panel.logit[:, a]
        logit = logit[np.isfinite(logit)]
        if len(logit) < 2:
            continue
        auroc = Estimate.from_json(entries[attribute]["rates"].get("auroc"))
        ends = float(logit.min()), float(logit.max())
        result += attribute_doubts(attribute, auroc, ends, len(logit), float(panel.threshold[0, a]))
    return result


def attribute_doubts(
    attribute: str, auroc: Estimate, ends: tuple[float, float], images: int, threshold: float
) -> list[dict[str, str]]:
    """List the doubts about one attribute.

    Args:
        attribute: Its name.
        auroc: Its AUROC.
        ends: Its least and its greatest logit.
        images: Number of images with a finite logit, at least two.
        threshold: In logit units.

    Returns:
        As ``doubts``.

    >>> [doubt["kind"] for doubt in attribute_doubts("Bald", Estimate.from_json(None), (-2.0, -1.0), 10, 0.0)]
    ['threshold']
    """
    raised: list[tuple[str, str]] = []
    if auroc.defined and auroc.high < HALF:
        raised.append(("swapped", swapped(auroc)))
    low, high = ends
    if low == high:
        raised.append(
            (
                "constant",
                f"the model gives the same logit, {number(low)}, to all {counted(images, 'image')}: is the "
                "output of this attribute connected, and are the images read correctly?",
            )
        )
    elif not low < threshold <= high:
        side = "negative" if threshold > high else "positive"
        text = (
            f"every image is predicted {side}: the threshold {number(threshold)} is outside of the logits "
            f"({number(low)} to {number(high)})"
        )
        raised.append(("threshold", text + (": is it in logit units?" if threshold else "")))
    return [{"attribute": attribute, "kind": kind, "text": text} for kind, text in raised]


def swapped(auroc: Estimate) -> str:
    """Ask if the classes are swapped, for an AUROC whose interval is wholly below one half."""
    return (
        f"the AUROC is {stated(auroc)}, below 0.5 throughout: are the classes swapped? Check the coding of the labels "
        "(which value means yes) and the sign of the model's output"
    )
