"""What one attribute changes in one face: the same face drawn twice, with and without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces.geometry.pose import SIZE
from bincam.faces.labels import constraints
from bincam.faces.labels.spec import FaceSpec, index
from bincam.faces.render.settings import TAU

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """One face and its counterfactual.

    Attributes:
        spec: The face as it is.
        flipped: The face with the attribute turned over, and with it the labels that exclude what has become true.
        image: (H, W, 3).
        flipped_image: (H, W, 3), same pose, light, background and camera noise.
        influence: (H, W), where the two differ before noise.
        seen: (40,) the labels of ``image`` as they can be seen.
        flipped_seen: (40,) those of ``flipped_image``.
        jpeg_quality: At which both are to be stored.
    """

    spec: FaceSpec
    flipped: FaceSpec
    image: Image
    flipped_image: Image
    influence: Mask
    seen: Mask
    flipped_seen: Mask
    jpeg_quality: int


def counterfactual(face: FaceSpec, attribute: str) -> FaceSpec:
    """The face with one attribute turned over.

    Where the attribute becomes true, what excludes it becomes false: a blond who gets black hair is blond no longer.
    A goatee or sideburns are drawn without a full beard (see ``logic.told``), so that they come and go alone.
    """
    column = index(attribute)
    drawn = np.array(face.labels)
    on = not constraints.told(drawn)[column]
    drawn[column] = on
    if on and attribute not in {"Goatee", "Sideburns"}:
        drawn &= ~constraints.exclusive()[column]
    return replace(face, labels=tuple(bool(label) for label in drawn))


def influence(face: int | FaceSpec, attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU) -> Mask:
    """Where an attribute changes a face's pixels, whether the face has it or not.

    Args:
        face: A spec, or a seed: then the first face of the set of that seed at CelebA's prevalences.
        attribute: Its name.
        size: (W, H) in pixels.
        tau: A pixel belongs to the mask if a channel differs by more than this, of 255. Both images are taken before
            camera noise and JPEG.

    Returns:
        (H, W). Empty for ``Attractive``, which has no pixels of its own.

    Raises:
        InputError: An unknown attribute, or a tau or size out of range.
    """
    return influences(face, [attribute], size, tau=tau)[attribute]


def influences(
    face: int | FaceSpec, attributes: Iterable[str], size: tuple[int, int] = SIZE, *, tau: int = TAU
) -> dict[str, Mask]:
    """The influence of several attributes on one face, which is drawn only once as it is. As :func:`influence`."""
    from bincam.faces.render.image import render

    if not 0 <= tau <= 255:
        raise InputError(f"tau is a difference between 0 and 255, got {tau}")
    face = _spec(face)
    others = {attribute: counterfactual(face, attribute) for attribute in attributes}
    before = render(face, size, camera=False).image.astype(np.int16)
    masks: dict[str, Mask] = {}
    for attribute, other in others.items():
        after = render(other, size, camera=False).image.astype(np.int16)
        masks[attribute] = np.abs(before - after).max(axis=-1) > tau
    return masks


def pair(face: int | FaceSpec, attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU) -> Pair:
    """The same face twice, one attribute turned over. Arguments and errors as for :func:`influence`."""
    return next(iter(pairs(face, [attribute], size, tau=tau)))


def pairs(
    face: int | FaceSpec, attributes: Iterable[str], size: tuple[int, int] = SIZE, *, tau: int = TAU
) -> Iterator[Pair]:
    """A pair for each of several attributes; the face is drawn only once as it is. As :func:`pair`."""
    from bincam.faces.render.image import render

    face = _spec(face)
    one = render(face, size)
    names = list(attributes)
    masks = influences(face, names, size, tau=tau)
    for name in names:
        other = counterfactual(face, name)
        two = render(other, size)
        yield Pair(
            spec=face,
            flipped=other,
            image=one.image,
            flipped_image=two.image,
            influence=masks[name],
            seen=constraints.told(np.array(face.labels) & one.visible),
            flipped_seen=constraints.told(np.array(other.labels) & two.visible),
            jpeg_quality=one.jpeg_quality,
        )


def _spec(face: int | FaceSpec) -> FaceSpec:
    if isinstance(face, FaceSpec):
        return face
    from bincam.faces.labels.sampler import spec

    return spec(face)
