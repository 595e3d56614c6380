"""The intensity of each attribute of a face, because people do not simply have an attribute or lack it.

A label says on which side of a boundary a face is. The amount says how far: about 1 where the label is true and about 0
where it is false, with a spread specific to the attribute. What a false label leaves is ordinary variation: warm
cheeks, red lips, a slightly arched brow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec, index
from bincam.generated.random_streams import stream

Array = NDArray[Any]

# Standard deviation of the amount among faces with the same label.
_SPREAD = {
    "Arched_Eyebrows": 0.32, "Bags_Under_Eyes": 0.2, "Big_Lips": 0.34, "Bushy_Eyebrows": 0.2, "Heavy_Makeup": 0.32,
    "High_Cheekbones": 0.34, "Mouth_Slightly_Open": 0.34, "Pointy_Nose": 0.2, "Receding_Hairline": 0.3,
    "Rosy_Cheeks": 0.34, "Smiling": 0.34, "Wearing_Lipstick": 0.3, "No_Beard": 0.3,
}  # fmt: skip
_USUAL = 0.1  # the spread of attributes not listed above
_LEAST, _MOST = -0.35, 1.3
_FAINT = 0.1  # amounts below this are not drawn
# These belong to the person, the others to the photograph.
_LASTING = ("Arched_Eyebrows", "Big_Lips", "Big_Nose", "Bushy_Eyebrows", "High_Cheekbones", "Pointy_Nose")
_LABELS_SPREAD = np.array([_SPREAD.get(name, _USUAL) for name in ATTRIBUTES])
_OF_PERSON = np.array([name in _LASTING for name in ATTRIBUTES])


@lru_cache(maxsize=8)
def _drawn(spec: FaceSpec) -> Array:
    person, photograph = (stream(key, "amounts").normal(size=len(ATTRIBUTES)) for key in (spec.identity, spec.seed))
    spread = np.where(_OF_PERSON, person, photograph).clip(-1.9, 1.9) * _LABELS_SPREAD
    return np.asarray((np.array(spec.labels, float) + spread).clip(_LEAST, _MOST))


def amount(spec: FaceSpec, attribute: str) -> float:
    """Return the intensity of an attribute, about 1 where its label is true and about 0 where it is false.

    It is between -0.35 and 1.3. Flipping the label always changes it in the same direction.
    """
    return float(_drawn(spec)[index(attribute)])


def shown(spec: FaceSpec, attribute: str) -> float:
    """Return the amount of something that cannot be negative, 0 where it is too faint to draw."""
    intensity = amount(spec, attribute)
    return intensity if intensity > _FAINT else 0.0
