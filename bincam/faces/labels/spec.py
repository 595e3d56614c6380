"""The specification of one generated face: the seeds and labels that determine every pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bincam.errors import InputError, nearest

# CelebA's 40 names in CelebA's order.
ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
# The attributes that have pixels. "Attractive" is a judgement about the whole face and is never drawn.
DRAWN: tuple[str, ...] = tuple(name for name in ATTRIBUTES if name != "Attractive")


@dataclass(frozen=True)
class FaceSpec:
    """The complete specification of one face: the same spec gives the same image in any process and order.

    Attributes:
        seed: Seeds the photograph: pose, light, fine detail of the expression, clothes, background, camera.
        identity: Seeds the person: head shape, proportions, skin tone, eye colour.
        labels: (40,) in the order of ``ATTRIBUTES``.

    Raises:
        InputError: There are not 40 labels.

    >>> from bincam.faces import ATTRIBUTES, FaceSpec
    >>> face = FaceSpec(seed=1, identity=2, labels=tuple(name in {"Young", "Smiling"} for name in ATTRIBUTES))
    >>> face["Smiling"], face["Eyeglasses"]
    (True, False)
    >>> face.flip("Eyeglasses")["Eyeglasses"]
    True
    """

    seed: int
    identity: int
    labels: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.labels) != len(ATTRIBUTES):
            raise InputError(f"a face has {len(ATTRIBUTES)} labels, got {len(self.labels)}")

    def __getitem__(self, attribute: str) -> bool:
        return self.labels[index(attribute)]

    def flip(self, attribute: str) -> FaceSpec:
        """Return the same face with this one label flipped, even where the result is contradictory.

        See :func:`bincam.faces.counterfactual` for a flip that also clears the labels it excludes.
        """
        column = index(attribute)
        return replace(self, labels=(*self.labels[:column], not self.labels[column], *self.labels[column + 1 :]))


def index(attribute: str) -> int:
    """Return the column of an attribute.

    Raises:
        InputError: The name is not one of the 40.

    >>> index("Smiling")
    31
    """
    try:
        return ATTRIBUTES.index(attribute)
    except ValueError:
        raise InputError(f"unknown attribute {attribute!r}{nearest(attribute, ATTRIBUTES)}") from None
