"""Counterfactual pairs: the same face drawn twice, with and without one attribute, and the pixels that differ."""

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
    """A face and its counterfactual.

    Attributes:
        spec: The original face.
        flipped: The face with the attribute flipped, and without the labels that exclude one that has become true.
        image: (H, W, 3) uint8 RGB.
        flipped_image: (H, W, 3) uint8 RGB, with the same pose, light, background and camera noise.
        influence: (H, W), True where the two differ before camera noise.
        seen: (40,), labels of ``image`` that can be seen.
        flipped_seen: (40,), labels of ``flipped_image`` that can be seen.
        landmarks: (5, 2), as of ``bincam.faces.render``, of ``image``: both are cropped by them.
        jpeg_quality: Quality with which to store both.
    """

    spec: FaceSpec
    flipped: FaceSpec
    image: Image
    flipped_image: Image
    influence: Mask
    seen: Mask
    flipped_seen: Mask
    landmarks: NDArray[np.float32]
    jpeg_quality: int


def counterfactual(face: FaceSpec, attribute: str) -> FaceSpec:
    """Return the face with one attribute flipped.

    If the attribute becomes true, the labels that exclude it become false: a blond person who gets black hair is no
    longer blond. A goatee or sideburns are added without a full beard, so that they alone change.

    Args:
        face: The original.
        attribute: The attribute to flip.

    Returns:
        The counterfactual, of the same seeds.

    Raises:
        InputError: An unknown attribute.

    >>> from bincam.faces import ATTRIBUTES, FaceSpec, counterfactual
    >>> blond = FaceSpec(1, 2, tuple(name in {"Blond_Hair", "No_Beard", "Young"} for name in ATTRIBUTES))
    >>> dark = counterfactual(blond, "Black_Hair")
    >>> dark["Black_Hair"], dark["Blond_Hair"], dark["Young"]
    (True, False, True)
    """
    column = index(attribute)
    drawn = np.array(face.labels)
    on = not constraints.labels_from_drawn(drawn)[column]
    drawn[column] = on
    if on and attribute not in {"Goatee", "Sideburns"}:
        drawn &= ~constraints.exclusive()[column]
    return replace(face, labels=tuple(bool(label) for label in drawn))


def influence(face: int | FaceSpec, attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU) -> Mask:
    """Compute the mask of the pixels that an attribute changes in a face, whether or not the face has it.

    Args:
        face: A spec, or a seed, which stands for the first face of the set of that seed at CelebA's prevalences.
        attribute: Its name.
        size: (W, H) in pixels.
        tau: A pixel belongs to the mask if a channel differs by more than this, in levels of 255. Both images are
            compared before camera noise and JPEG.

    Returns:
        (H, W). Empty for ``Attractive``, which has no pixels of its own.

    Raises:
        InputError: An unknown attribute, or a tau or size out of range.

    >>> from bincam.faces import influence
    >>> mask = influence(7, "Smiling", size=(64, 80))
    >>> mask.shape, mask.dtype.name, bool(0 < mask.mean() < 0.5)
    ((80, 64), 'bool', True)
    >>> bool(influence(7, "Attractive", size=(64, 80)).any())
    False
    """
    return influences(face, [attribute], size, tau=tau)[attribute]


def influences(
    face: int | FaceSpec, attributes: Iterable[str], size: tuple[int, int] = SIZE, *, tau: int = TAU
) -> dict[str, Mask]:
    """Compute the influence of several attributes on one face, drawing the original only once.

    Args:
        face: As for :func:`influence`.
        attributes: Their names.
        size: As for :func:`influence`.
        tau: As for :func:`influence`.

    Returns:
        (H, W) masks by attribute.

    Raises:
        InputError: As for :func:`influence`.
    """
    from bincam.faces.render.image import render

    if not 0 <= tau <= 255:
        raise InputError(f"expected a tau between 0 and 255, got {tau}")
    face = _spec(face)
    flipped = {attribute: counterfactual(face, attribute) for attribute in attributes}
    before = render(face, size, camera=False).image
    return {
        attribute: difference(before, render(other, size, camera=False).image, tau)
        for attribute, other in flipped.items()
    }


def difference(before: Image, after: Image, tau: int = TAU) -> Mask:
    """Return (H, W), True where a channel of two (H, W, 3) images differs by more than ``tau`` levels.

    >>> difference(np.array([[[9, 0, 0]]], np.uint8), np.array([[[0, 8, 0]]], np.uint8), tau=8).tolist()
    [[True]]
    """
    mask: Mask = np.abs(before.astype(np.int16) - after).max(axis=-1) > tau
    return mask


def pair(face: int | FaceSpec, attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU) -> Pair:
    """Draw a face and its counterfactual for one attribute.

    Args:
        face: As for :func:`influence`.
        attribute: The attribute to flip.
        size: As for :func:`influence`.
        tau: As for :func:`influence`.

    Returns:
        Both faces with their images and the mask of the pixels that differ.

    Raises:
        InputError: As for :func:`influence`.

    >>> from bincam.faces import pair
    >>> smile = pair(7, "Smiling", size=(64, 80))
    >>> smile.image.shape, smile.flipped["Smiling"] is not smile.spec["Smiling"]
    ((80, 64, 3), True)
    """
    return next(iter(pairs(face, [attribute], size, tau=tau)))


def pairs(
    face: int | FaceSpec, attributes: Iterable[str], size: tuple[int, int] = SIZE, *, tau: int = TAU
) -> Iterator[Pair]:
    """Draw a pair for each of several attributes, and the original only once; see :func:`pair`."""
    from bincam.faces.render.image import render

    face = _spec(face)
    original = render(face, size)
    names = list(attributes)
    masks = influences(face, names, size, tau=tau)
    for name in names:
        other = counterfactual(face, name)
        flipped = render(other, size)
        yield Pair(
            spec=face,
            flipped=other,
            image=original.image,
            flipped_image=flipped.image,
            influence=masks[name],
            seen=constraints.visible_labels(face, original.visible),
            flipped_seen=constraints.visible_labels(other, flipped.visible),
            landmarks=original.landmarks,
            jpeg_quality=original.jpeg_quality,
        )


def _spec(face: int | FaceSpec) -> FaceSpec:
    if isinstance(face, FaceSpec):
        return face
    from bincam.faces.labels.sampler import spec

    return spec(face)
