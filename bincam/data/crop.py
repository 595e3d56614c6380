"""Crops as affine matrices, which move pixels, landmarks, boxes and masks consistently.

Coordinates are x, y in pixels with the centre of the first pixel at (0, 0), as for CelebA's landmarks. A matrix is
``(2, 3)`` and maps source coordinates to output coordinates.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError

Floats = NDArray[np.float64]
Fit = Literal["face", "crop", "stretch"]
Pixels = TypeVar("Pixels", np.uint8, np.int16, np.float32)

MIRROR_ORDER = (1, 0, 2, 4, 3)
"""Index of each of ``LANDMARKS`` among the points of a mirrored image."""


def centres(landmarks: ArrayLike) -> tuple[Floats, Floats]:
    """Compute eye centre e and mouth centre m: ``(..., 5, 2)`` to two ``(..., 2)``."""
    points = np.asarray(landmarks, np.float64)
    return points[..., :2, :].mean(axis=-2), points[..., 3:, :].mean(axis=-2)


def face_matrix(landmarks: ArrayLike, size: int = 224) -> Floats:
    """Compute the AFFACT crop (Günther et al. 2017): eyes level, side 5.5 times the distance of eyes and mouth.

    With e and m the eye and mouth centres, d their distance and s = 5.5 d, a rotation about e levels the eyes;
    the square then begins at ``(e_x - 0.5 s, e_y - 0.45 s)`` and is resized to ``size``.

    Args:
        landmarks: ``(5, 2)``.
        size: Side of the output in pixels.

    Returns:
        ``(2, 3)``.

    Raises:
        InputError: A landmark is unknown, or eyes and mouth coincide.

    Example:
        >>> from bincam.data.crop import face_matrix, move
        >>> landmarks = [[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]]
        >>> move(face_matrix(landmarks, 224), [88.5, 111]).tolist()  # the eye centre
        [112.0, 100.8]
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise InputError(f"a face crop needs five known landmarks, got {points.tolist()}")
    e, m = centres(points)
    side = 5.5 * float(np.hypot(*(m - e)))
    across = points[1] - points[0]
    width = float(np.hypot(*across))
    if side < 1e-6 or width < 1e-6:
        raise InputError(f"a face crop needs eyes apart from each other and from the mouth, got {points.tolist()}")
    cos, sin = across / width
    turn = np.array([[cos, sin], [-sin, cos]]) * (size / side)
    return np.column_stack([turn, np.array([0.5, 0.45]) * size - turn @ e])


def fit_matrix(fit: Literal["crop", "stretch"], source: tuple[int, int], size: tuple[int, int]) -> Floats:
    """Compute the matrix that stretches the whole image to ``size``, or scales its largest centred part of that shape.

    Args:
        fit: ``"stretch"`` or ``"crop"``.
        source: ``(H, W)`` of the image.
        size: ``(H, W)`` of the output.

    Returns:
        ``(2, 3)``.
    """
    scale = np.array([size[1] / source[1], size[0] / source[0]])  # x, y
    if fit == "crop":
        scale = np.full(2, scale.max())
    middle = (np.array([source[1], source[0]]) - 1) / 2
    return np.column_stack([np.diag(scale), (np.array([size[1], size[0]]) - 1) / 2 - scale * middle])


def compose(outer: ArrayLike, inner: ArrayLike) -> Floats:
    """Compose two matrices: ``inner`` is applied first."""
    last = np.array([[0.0, 0.0, 1.0]])
    product: Floats = np.vstack([np.asarray(outer), last]) @ np.vstack([np.asarray(inner), last])
    return product[:2]


def move(matrix: ArrayLike, points: ArrayLike) -> Floats:
    """Transform points ``(..., 2)`` by a matrix; NaN stays NaN."""
    m = np.asarray(matrix, np.float64)
    return np.asarray(points, np.float64) @ m[:, :2].T + m[:, 2]


def corners(boxes: ArrayLike) -> Floats:
    """Compute the corner points of boxes: ``(..., 4)`` x, y, width, height to ``(..., 4, 2)``."""
    x, y, w, h = np.moveaxis(np.asarray(boxes, np.float64), -1, 0)
    return np.stack([np.stack(p, axis=-1) for p in ((x, y), (x + w, y), (x, y + h), (x + w, y + h))], axis=-2)


def bounding(points: ArrayLike) -> Floats:
    """Compute the upright box around points: ``(..., P, 2)`` to ``(..., 4)``."""
    p = np.asarray(points, np.float64)
    low, high = p.min(axis=-2), p.max(axis=-2)
    return np.concatenate([low, high - low], axis=-1)


def warp(image: NDArray[Pixels], matrix: ArrayLike, size: tuple[int, int], *, mask: bool = False) -> NDArray[Pixels]:
    """Resample an image by a matrix.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``.
        matrix: Source to output coordinates.
        size: ``(H, W)`` of the output.
        mask: Use the nearest pixel, and zeros outside the image. Where two or four pixels are equally near, as in an
            exact halving, the largest value counts, so that masks neither drift to one side nor depend on whether the
            image was mirrored before. Otherwise interpolation is bilinear, after area averaging if the image shrinks by
            a factor of 1.5 or more, and the border is replicated.

    Returns:
        ``(*size)`` or ``(*size, C)``.
    """
    import cv2

    m = np.asarray(matrix, np.float64)
    if image.ndim == 3 and not mask and image.shape[2] not in (3, 4):  # opencv resamples four channels at most
        return np.stack([warp(np.ascontiguousarray(image[..., i]), m, size) for i in range(image.shape[2])], axis=2)
    if mask:
        framed = np.pad(image, ((1, 1), (1, 1), *((0, 0) for _ in image.shape[2:])))
        pixels = framed.reshape(-1, *image.shape[2:])
        first, *further = (pixels[places] for places in _nearest(m.tobytes(), (image.shape[0], image.shape[1]), size))
        for other in further:
            np.maximum(first, other, out=first)
        return first
    shrink = 1 / np.sqrt(abs(np.linalg.det(m[:, :2])))
    if shrink >= 1.5:
        before = image.shape[0], image.shape[1]
        after = max(1, round(before[0] / shrink)), max(1, round(before[1] / shrink))
        image = np.asarray(cv2.resize(image, after[::-1], interpolation=cv2.INTER_AREA), dtype=image.dtype)
        m = compose(
            m, fit_matrix("stretch", after, before)
        )  # from the reduced image to the source coordinates of the matrix
    result: Any = cv2.warpAffine(image, m, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(result, dtype=image.dtype)


_TIE = 1e-6
"""Pixels by which the distances to two pixels may differ that count as equally near; above what rounding makes."""


@lru_cache(maxsize=8)  # the masks of an image share them
def _nearest(matrix: bytes, source: tuple[int, int], size: tuple[int, int]) -> tuple[NDArray[np.intp], ...]:
    """Find the nearest pixels of each output pixel, in float64: cv2 rounds coordinates to 1/1024 pixel.

    Args:
        matrix: The bytes of the matrix, float64 ``(2, 3)``, from source to output coordinates.
        source: ``(H, W)`` of the image.
        size: Of the output.

    Returns:
        Places ``(*size)`` in the flattened image with a frame of one pixel, where the frame stands for outside: one
        array, or several where some pixels are equally near.
    """
    forward = np.frombuffer(matrix, np.float64).reshape(2, 3)
    back = np.linalg.inv(np.vstack([forward, [0.0, 0.0, 1.0]]))[:2]
    x, y = np.arange(size[1]), np.arange(size[0])[:, None]
    axes: list[tuple[NDArray[np.intp], ...]] = []
    for (along_x, along_y, shift), length in zip(back, source[::-1], strict=True):
        at = along_x * x + along_y * y + shift
        low, high = np.ceil(at - 0.5 - _TIE), np.floor(at + 0.5 + _TIE)
        choices = (low,) if np.array_equal(low, high) else (low, high)
        axes.append(tuple(np.clip(choice, -1, length).astype(np.intp) + 1 for choice in choices))
    return tuple(row * (source[1] + 2) + column for row in axes[1] for column in axes[0])


def off_axis(landmarks: ArrayLike) -> Floats:
    """Compute how far a face is turned to the side.

    This is the distance of the nose from the line through eye centre and mouth centre, over mouth y - eye y.

    Args:
        landmarks: ``(..., 5, 2)`` of aligned (levelled) faces. A common shift, such as the (+24, -10) of the published
            protocol, has no effect, because only differences enter.

    Returns:
        ``(...)``, non-negative; NaN where landmarks are unknown or the mouth is not below the eyes.
    """
    points = np.asarray(landmarks, np.float64)
    e, m = centres(points)
    axis, nose = m - e, points[..., 2, :] - e
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.abs(axis[..., 0] * nose[..., 1] - axis[..., 1] * nose[..., 0]) / np.hypot(
            axis[..., 0], axis[..., 1]
        )
        return np.where(axis[..., 1] > 0, distance / axis[..., 1], np.nan)


def frontal(landmarks: ArrayLike, limit: float = 0.1) -> NDArray[np.bool_]:
    """Select frontal faces by the filter of the published protocol.

    Args:
        landmarks: ``(..., 5, 2)`` of aligned (levelled) faces.
        limit: Largest value of ``off_axis`` that counts as frontal.

    Returns:
        ``(...)`` bool; False where landmarks are unknown.

    Example:
        >>> from bincam.data import frontal
        >>> ahead = [[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]]
        >>> aside = [[69, 111], [108, 111], [99, 135], [72, 152], [106, 152]]
        >>> frontal([ahead, aside])
        array([ True, False])
    """
    return np.less_equal(off_axis(landmarks), limit)
