"""Visibility of attributes: a label counts as true only if enough pixels show its attribute."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.geometry.pose import SIZE
from bincam.faces.labels.parts import MEMBER, Part
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec

Array = NDArray[Any]

# The fewest pixels of an attribute's parts, at 178 x 218, with which it counts as visible.
_ENOUGH = {
    "Wearing_Earrings": 12, "Wearing_Necklace": 16, "Wearing_Necktie": 60, "Sideburns": 12, "Goatee": 20,
    "Mustache": 12, "Bangs": 40, "Eyeglasses": 60, "Wearing_Hat": 120, "Bald": 120, "Receding_Hairline": 30,
    "Black_Hair": 60, "Blond_Hair": 60, "Brown_Hair": 60, "Gray_Hair": 60, "Straight_Hair": 60, "Wavy_Hair": 60,
    "Arched_Eyebrows": 12, "Bushy_Eyebrows": 12, "Rosy_Cheeks": 20, "Bags_Under_Eyes": 12, "Narrow_Eyes": 8,
}  # fmt: skip
_SCALP_ONLY = {"Bald", "Receding_Hairline"}


def seen(parts: Array, spec: FaceSpec) -> Array:
    """Return (40,), True for the attributes that the parts (H, W) of a face show."""
    counts = np.bincount(parts.ravel(), minlength=len(Part))[: len(Part)]
    scale = parts.size / (SIZE[0] * SIZE[1])
    result = np.ones(len(ATTRIBUTES), bool)
    for i, attribute in enumerate(ATTRIBUTES):
        if attribute in _ENOUGH:
            n = counts[Part.SCALP] if attribute in _SCALP_ONLY else counts[MEMBER[i]].sum()
            result[i] = n >= max(_ENOUGH[attribute] * scale, 2)
    if spec["Bald"]:
        result[[ATTRIBUTES.index(a) for a in ("Receding_Hairline", "Bangs")]] = False
    return result
