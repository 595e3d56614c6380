"""What one generated face is: the seeds and the labels from which every pixel follows."""

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


@dataclass(frozen=True)
class FaceSpec:
    """One face, wholly determined: the same spec gives the same image in any process and order.

    Attributes:
        seed: Seeds what belongs to this photograph: pose, light, expression's fine detail, clothes, background, camera.
        identity: Seeds what belongs to the person: head shape, proportions, skin tone, eye colour.
        labels: (40,) in the order of ``ATTRIBUTES``.
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
        """The same face with one label turned over."""
        at = index(attribute)
        return replace(self, labels=(*self.labels[:at], not self.labels[at], *self.labels[at + 1 :]))


def index(attribute: str) -> int:
    """The column of an attribute.

    Raises:
        InputError: The name is not one of the 40.
    """
    try:
        return ATTRIBUTES.index(attribute)
    except ValueError:
        raise InputError(f"unknown attribute {attribute!r}{nearest(attribute, ATTRIBUTES)}") from None
