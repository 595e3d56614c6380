"""What one attribute changes in one face: the same face drawn twice, with and without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces import logic
from bincam.faces.spec import ATTRIBUTES, FaceSpec, index

SIZE = (178, 218)
TAU = 8  # of 255; what the eye begins to see, and well above the rounding of two renderings


@dataclass(frozen=True)
class Pair:
    """One face and its counterfactual.

    Attributes:
        spec: The face as it is.
        flipped: The face with the attribute turned over, and with it the labels that exclude what has become true.
        image: (H, W, 3) uint8.
        flipped_image: (H, W, 3) uint8, same pose, light, background and camera noise.
        influence: (H, W), where the two differ before noise.
        seen: (40,) the labels of ``image`` as they can be seen.
        flipped_seen: (40,) those of ``flipped_image``.
    """

    spec: FaceSpec
    flipped: FaceSpec
    image: NDArray[np.uint8]
    flipped_image: NDArray[np.uint8]
    influence: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    flipped_seen: NDArray[np.bool_]


def counterfactual(face: FaceSpec, attribute: str) -> FaceSpec:
    """The face with one attribute turned over.

    Where the attribute becomes true, what excludes it becomes false: a blond who gets black hair is blond no longer.
    """
    column = index(attribute)
    labels = list(face.flip(attribute).labels)
    if labels[column]:
        for other in np.flatnonzero(logic.exclusive()[column]):
            labels[other] = False
    return FaceSpec(face.seed, face.identity, tuple(labels))


def influence(
    face: int | FaceSpec, attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU
) -> NDArray[np.bool_]:
    """Where an attribute changes a face's pixels, whether the face has it or not.

    Args:
        face: A spec, or a seed: then the first face of the set of that seed at CelebA's prevalences.
        attribute: Its name.
        size: (W, H) in pixels.
        tau: A pixel belongs to the mask if a channel differs by more than this, of 255. Both images are taken before
            camera noise and JPEG.

    Returns:
        (H, W). Empty for ``Attractive``, which has no pixels of its own.
    """
    if not 0 <= tau <= 255:
        raise InputError(f"tau is a difference between 0 and 255, got {tau}")
    face = _spec(face)
    return _differ(face, counterfactual(face, attribute), size, tau)


def pair(face: int | FaceSpec, attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU) -> Pair:
    """The same face twice, one attribute turned over.

    Args:
        face: As for :func:`influence`.
        attribute: Its name.
        size: (W, H) in pixels.
        tau: As for :func:`influence`.
    """
    from bincam.faces.render import render

    face = _spec(face)
    other = counterfactual(face, attribute)
    one, two = render(face, size), render(other, size)
    return Pair(
        spec=face,
        flipped=other,
        image=one.image,
        flipped_image=two.image,
        influence=_differ(face, other, size, tau),
        seen=np.array(face.labels) & one.visible,
        flipped_seen=np.array(other.labels) & two.visible,
    )


def mean_influence(
    faces: list[FaceSpec], attribute: str, size: tuple[int, int] = SIZE, *, tau: int = TAU
) -> NDArray[np.float64]:
    """(H, W): the share of the faces in which the attribute changes each pixel."""
    total = np.zeros((size[1], size[0]))
    for face in faces:
        total += influence(face, attribute, size, tau=tau)
    return total / len(faces)


def _spec(face: int | FaceSpec) -> FaceSpec:
    if isinstance(face, FaceSpec):
        return face
    from bincam.faces.sampler import spec

    return spec(face)


def _differ(one: FaceSpec, two: FaceSpec, size: tuple[int, int], tau: int) -> NDArray[np.bool_]:
    from bincam.faces.render import render

    before = render(one, size, camera=False).image.astype(np.int16)
    after = render(two, size, camera=False).image.astype(np.int16)
    differs: NDArray[np.bool_] = np.abs(before - after).max(axis=-1) > tau
    return differs


__all__ = ["ATTRIBUTES", "SIZE", "TAU", "Pair", "counterfactual", "influence", "mean_influence", "pair"]
