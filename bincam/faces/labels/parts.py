"""The parts that an image shows, one per pixel, and the attributes that can be seen in each."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.labels.spec import ATTRIBUTES, index


class Part(IntEnum):
    """The part that a pixel shows. The values are those of ``masks/parts/*.png``."""

    BACKGROUND = 0
    CLOTHES = 1
    NECK = 2
    FACE = 3
    FOREHEAD = 4
    CHEEK = 5
    JAW = 6
    CHIN = 7
    UNDER_EYE = 8
    EYELID = 9
    NOSE = 10
    UPPER_LIP = 11  # the skin between nose and mouth
    LIPS = 12
    MOUTH = 13  # teeth, tongue and the dark inside
    EYE = 14
    EAR = 15
    SCALP = 16  # skin where hair could grow but does not
    HAIR = 17
    BANGS = 18
    BROW = 19
    BEARD = 20
    MUSTACHE = 21
    GOATEE = 22
    SIDEBURNS = 23
    GLASSES = 24
    HAT = 25
    EARRING = 26
    NECKLACE = 27
    NECKTIE = 28
    LENS = 29  # clear glass, through which the eye is seen


_P = Part
_LOWER = (_P.JAW, _P.CHIN, _P.UPPER_LIP, _P.CHEEK)
_WHISKERS = (_P.BEARD, _P.MUSTACHE, _P.GOATEE, _P.SIDEBURNS)
_MOUTH = (_P.LIPS, _P.MOUTH)
_HAIR = (_P.HAIR, _P.BANGS)
_SKIN = tuple(Part(p) for p in (*range(_P.NECK, _P.LIPS), _P.EAR, _P.SCALP))
_ALL = tuple(Part)

SEEN_IN: dict[str, tuple[Part, ...]] = {
    "5_o_Clock_Shadow": (*_LOWER, _P.NECK, *_WHISKERS),
    "Arched_Eyebrows": (_P.BROW, _P.LENS),
    "Attractive": (),
    "Bags_Under_Eyes": (_P.UNDER_EYE, _P.LENS),
    "Bald": (_P.SCALP, *_HAIR),
    "Bangs": (_P.BANGS,),
    "Big_Lips": _MOUTH,
    "Big_Nose": (_P.NOSE,),
    "Black_Hair": _HAIR,
    "Blond_Hair": _HAIR,
    "Blurry": _ALL,
    "Brown_Hair": _HAIR,
    "Bushy_Eyebrows": (_P.BROW, _P.LENS),
    "Chubby": (*_LOWER, *_MOUTH, *_WHISKERS, _P.FACE, _P.NECK, _P.UNDER_EYE, _P.EAR),
    "Double_Chin": (_P.CHIN, _P.JAW, _P.NECK, _P.BEARD, _P.GOATEE),
    "Eyeglasses": (_P.GLASSES, _P.LENS),
    "Goatee": (_P.GOATEE,),
    "Gray_Hair": _HAIR,
    "Heavy_Makeup": (_P.EYELID, _P.UNDER_EYE, _P.EYE, _P.LENS),
    "High_Cheekbones": (_P.CHEEK, _P.UNDER_EYE, _P.FACE, _P.SIDEBURNS, _P.BEARD),
    "Male": _ALL,
    "Mouth_Slightly_Open": (*_MOUTH, *_LOWER, *_WHISKERS, _P.NECK),
    "Mustache": (_P.MUSTACHE,),
    "Narrow_Eyes": (_P.EYE, _P.EYELID, _P.UNDER_EYE, _P.LENS),
    "No_Beard": (_P.BEARD,),
    "Oval_Face": (*_LOWER, *_MOUTH, *_WHISKERS, _P.FACE, _P.NECK),
    "Pale_Skin": (*_SKIN, *_MOUTH, _P.BROW, _P.LENS),
    "Pointy_Nose": (_P.NOSE,),
    "Receding_Hairline": (_P.SCALP, _P.FOREHEAD, *_HAIR),
    "Rosy_Cheeks": (_P.CHEEK,),
    "Sideburns": (_P.SIDEBURNS,),
    "Smiling": (*_MOUTH, *_LOWER, *_WHISKERS, _P.UNDER_EYE, _P.EYELID, _P.EYE, _P.LENS),
    "Straight_Hair": _HAIR,
    "Wavy_Hair": _HAIR,
    "Wearing_Earrings": (_P.EARRING,),
    "Wearing_Hat": (_P.HAT,),
    "Wearing_Lipstick": (_P.LIPS,),
    "Wearing_Necklace": (_P.NECKLACE,),
    "Wearing_Necktie": (_P.NECKTIE,),
    "Young": _ALL,
}
NAMES: dict[int, str] = {int(p): p.name.lower() for p in Part}
# (40, parts) bool
MEMBER: NDArray[np.bool_] = np.array([[p in SEEN_IN[a] for p in Part] for a in ATTRIBUTES])


def object_mask(parts: NDArray[Any], attribute: str) -> NDArray[np.bool_]:
    """Return the mask of the parts in which an attribute can be seen.

    Args:
        parts: (H, W) values of :class:`Part`.
        attribute: Its name.

    Returns:
        (H, W), True in the attribute's parts, whether or not the face has the attribute: every face has a nose, big or
        not, but only a face with a hat has hat pixels.

    Raises:
        InputError: The name is not one of the 40.

    >>> object_mask(np.array([[Part.NOSE, Part.HAT]]), "Big_Nose").tolist()
    [[True, False]]
    """
    mask: NDArray[np.bool_] = MEMBER[index(attribute)][parts]
    return mask


def table() -> dict[int, dict[str, Any]]:
    """Return the content of ``parts.json``: the name of each part number and the attributes seen in it."""
    return {int(p): {"name": p.name.lower(), "attributes": [a for a in ATTRIBUTES if p in SEEN_IN[a]]} for p in Part}
