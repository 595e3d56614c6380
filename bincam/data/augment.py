"""Random augmentation as albumentations transforms: one resampling step, and points and masks move with the image."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data import crop
from bincam.errors import InputError

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else importing it asks the network for its newest version


@dataclass(frozen=True)
class Augmentation:
    """Strengths of a random augmentation in the manner of AFFACT (Günther et al. 2017); 0 switches a part off.

    Attributes:
        scale: The crop is scaled by 2^N(0, scale).
        rotation: The crop is rotated about its centre by N(0, rotation) degrees.
        shift: The crop is shifted by N(0, shift) of its side, in x and in y.
        mirror: Probability of horizontal mirroring.
        blur: Probability of a Gaussian blur with σ uniform in 0.5 to ``blur_sigma`` pixels.
        blur_sigma: Largest σ of the blur.
        gamma: Pixels in [0, 1] are raised to 2^N(0, gamma).
        extra: Further albumentations transforms, applied last. Mirroring by one of them is detected.

    Example:
        >>> from bincam.data import Augmentation
        >>> gentle = Augmentation(scale=0.05, rotation=5, blur=0)
        >>> gentle.mirror
        0.5
    """

    scale: float = 0.1
    rotation: float = 20.0
    shift: float = 0.05
    mirror: float = 0.5
    blur: float = 0.25
    blur_sigma: float = 2.0
    gamma: float = 1.0
    extra: Sequence[Any] = ()

    def __post_init__(self) -> None:
        for name in ("scale", "rotation", "shift", "mirror", "blur", "gamma"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0) or (name in {"mirror", "blur"} and value > 1):
                raise InputError(
                    f"augmentation {name}={value}: expected a non-negative number, and at most 1 for a probability"
                )
        if self.blur_sigma < 0.5:
            raise InputError(f"augmentation blur_sigma={self.blur_sigma}: expected at least 0.5 pixels")


_PROBE = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]])


@dataclass(frozen=True)
class View:
    """One cropped and possibly augmented version of an image.

    Attributes:
        image: ``(H, W, 3)`` uint8, or ``(H, W, C)`` float32 from 0 to 255.
        landmarks: ``(5, 2)`` in the view, left and right swapped if mirrored, or None.
        box: ``(4,)`` x, y, width, height of the upright box around the transformed box, or None.
        masks: ``(M, H, W)`` bool, or None.
        mirrored: Whether the view is a mirror image.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32] | None
    box: NDArray[np.float32] | None
    masks: NDArray[np.bool_] | None
    mirrored: bool


class Views:
    """Make views; the transforms are built once and seeded anew for every image."""

    def __init__(self, augmentation: Augmentation | None, size: tuple[int, int]) -> None:
        """Build the transforms.

        Args:
            augmentation: The augmentation; None for the plain crop.
            size: ``(H, W)`` of the views.
        """
        self.augmentation = augmentation
        self.size = size
        self._transform: Any = None  # built in the process that uses it, because it cannot be pickled

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_transform": None}

    def __call__(
        self,
        image: NDArray[np.uint8],
        matrix: NDArray[np.float64],
        seed: Sequence[int],
        *,
        landmarks: NDArray[np.floating] | None = None,
        box: NDArray[np.floating] | None = None,
        masks: NDArray[np.bool_] | None = None,
    ) -> View:
        """Make one view.

        Args:
            image: ``(H, W, 3)`` uint8, as stored.
            matrix: The crop, from stored to output coordinates.
            seed: Numbers that determine the random draw.
            landmarks: ``(5, 2)`` in the stored image.
            box: ``(4,)`` in the stored image.
            masks: ``(M, H, W)`` bool in the stored image.
        """
        # Three extra points are transformed too: their orientation afterwards shows if the view is mirrored.
        points = [_PROBE]
        points += [] if landmarks is None else [np.asarray(landmarks, np.float64)]
        points += [] if box is None else [crop.corners(box)]
        flat = np.concatenate(points)
        if self.augmentation is None:
            view = crop.warp(image, matrix, self.size)
            moved = crop.move(matrix, flat)
            stack = (
                None if masks is None else [crop.warp(m.view(np.uint8), matrix, self.size, mask=True) for m in masks]
            )
        else:
            if self._transform is None:
                self._transform = _build(self.augmentation, self.size)
            draw = np.random.default_rng(list(seed))
            # The second is Python's generator, from which albumentations' own transforms draw.
            self._transform.set_random_state(draw, random.Random(int(draw.integers(2**63))))  # noqa: S311
            extra = {} if masks is None else {"masks": [m.view(np.uint8) for m in masks]}
            result = self._transform(image=image, keypoints=np.nan_to_num(flat), crop=matrix, **extra)
            view, stack = result["image"], result.get("masks")
            moved = np.where(np.isnan(flat), np.nan, np.asarray(result["keypoints"], np.float64))
        a, b, c = moved[:3]
        mirrored = bool((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) < 0)
        rest = moved[3:]
        view_landmarks = None
        if landmarks is not None:
            order = list(crop.MIRROR_ORDER) if mirrored else slice(5)
            view_landmarks, rest = rest[:5][order].astype(np.float32), rest[5:]
        return View(
            image=view,
            landmarks=view_landmarks,
            box=None if box is None else crop.bounding(rest).astype(np.float32),
            masks=None if stack is None else np.asarray(stack).reshape(-1, *self.size).astype(bool),
            mirrored=mirrored,
        )


@cache
def _transforms() -> tuple[type, type]:
    """The two transforms that albumentations lacks: normally distributed placement and gamma."""
    import albumentations as A  # its own convention
    import cv2

    class FaceWarp(A.DualTransform):  # type: ignore[misc]  # albumentations is untyped here
        """Crop by the matrix ``crop``, scaled, rotated and shifted at random, in one resampling step."""

        def __init__(self, spread: tuple[float, float, float], size: tuple[int, int]) -> None:
            super().__init__(p=1.0)
            self.spread, self.size = spread, size

        @property
        def targets_as_params(self) -> list[str]:
            return ["crop"]

        def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
            scale, turn, x, y = self.random_generator.normal(size=4)
            factor, angle = 2 ** (scale * self.spread[0]), np.deg2rad(turn * self.spread[1])
            about = (np.array(self.size[::-1]) - 1) / 2
            linear = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            to = about + self.spread[2] * np.array([x, y]) * np.array(self.size[::-1])
            return {"matrix": crop.compose(np.column_stack([linear, to - linear @ about]), data["crop"])}

        def apply(self, img: NDArray[np.uint8], matrix: NDArray[np.float64], **_: Any) -> NDArray[np.uint8]:
            return crop.warp(img, matrix, self.size)

        def apply_to_mask(self, mask: NDArray[np.uint8], matrix: NDArray[np.float64], **_: Any) -> NDArray[np.uint8]:
            return crop.warp(mask, matrix, self.size, mask=True)

        def apply_to_masks(self, masks: Any, matrix: NDArray[np.float64], **_: Any) -> list[NDArray[np.uint8]]:
            return [crop.warp(mask, matrix, self.size, mask=True) for mask in masks]

        def apply_to_keypoints(self, keypoints: NDArray[Any], matrix: NDArray[np.float64], **_: Any) -> NDArray[Any]:
            return np.column_stack([crop.move(matrix, keypoints[:, :2]), keypoints[:, 2:]])

    class NormalGamma(A.ImageOnlyTransform):  # type: ignore[misc]  # likewise
        """Raise pixels in [0, 1] to 2^N(0, spread)."""

        def __init__(self, spread: float) -> None:
            super().__init__(p=1.0)
            self.spread = spread

        def get_params(self) -> dict[str, Any]:
            return {"power": 2.0 ** float(self.random_generator.normal(0, self.spread))}

        def apply(self, img: NDArray[Any], power: float, **_: Any) -> NDArray[Any]:
            if img.dtype != np.uint8:
                return np.asarray(255 * np.clip(img / 255, 0, 1) ** power, img.dtype)
            table = np.rint(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
            return np.asarray(cv2.LUT(img, table), dtype=np.uint8)

    return FaceWarp, NormalGamma


def _build(augmentation: Augmentation, size: tuple[int, int]) -> Any:
    import albumentations as A  # its own convention

    warp, gamma = _transforms()
    parts: list[Any] = [warp((augmentation.scale, augmentation.rotation, augmentation.shift), size)]
    if augmentation.mirror:
        parts.append(A.HorizontalFlip(p=augmentation.mirror))
    if augmentation.blur:
        limits = (0.5, augmentation.blur_sigma)
        parts.append(A.GaussianBlur(blur_limit=0, sigma_limit=limits, p=augmentation.blur))
    if augmentation.gamma:
        parts.append(gamma(augmentation.gamma))
    keypoints = A.KeypointParams("xy", remove_invisible=False)
    return A.Compose([*parts, *augmentation.extra], keypoint_params=keypoints, is_check_shapes=False)
