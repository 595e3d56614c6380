"""Shapes of regions. Each shape draws itself as a mask into an image of any size.

Coordinates refer to pixel edges: pixel i spans i to i + 1, so a box from 0 to W covers the image, and a pixel belongs
to a shape if its centre does. Units are ``pixels`` of a stated image size, ``image`` (0 to 1 per axis), or ``face``.
Face units have their origin at the eye centre; y is 1 at the mouth centre, and x is perpendicular to y, to the right of
the image, with the same unit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bincam.data import crop
from bincam.errors import InputError

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Units = Literal["pixels", "image", "face"]


@dataclass(frozen=True)
class Place:
    """The image that a shape is drawn into.

    Attributes:
        size: ``(H, W)`` of the mask.
        landmarks: ``(5, 2)`` of the face in that image, or None.
        image: The image's id, for masks stored per image, or None.
        attribute: The attribute whose mask is drawn.
        positive: Whether the image has the attribute; None where that is not known.
        matrix: ``(2, 3)``, from the pixels of the stored image to those of the mask, for masks stored per image; None
            where the mask is that of the stored image itself.
        stored: ``(H, W)`` of the stored image; ``size`` by default.
    """

    size: tuple[int, int]
    landmarks: NDArray[np.floating] | None = None
    image: str | None = None
    attribute: str = ""
    positive: bool | None = None
    matrix: NDArray[np.floating] | None = None
    stored: tuple[int, int] | None = None

    def centres(self) -> tuple[Floats, Floats]:
        """Coordinates of the pixel centres: x ``(1, W)`` and y ``(H, 1)``."""
        return np.arange(self.size[1], dtype=float)[None] + 0.5, np.arange(self.size[0], dtype=float)[:, None] + 0.5


class Shape(ABC):
    """Base class of everything that can be drawn as a mask."""

    needs_landmarks: bool = False

    @abstractmethod
    def draw(self, place: Place) -> Mask | None:
        """Draw the mask: ``(H, W)``, or None if the image has no such region, which differs from an empty one."""

    @property
    def may_ignore(self) -> bool:
        """True if pixels of some image count neither way."""
        return False

    def ignored(self, place: Place) -> Mask | None:  # noqa: ARG002 - of a shape that ignores none
        """Draw the pixels of an image that count neither way: ``(H, W)``, or None where there are none."""
        return None


@dataclass(frozen=True, eq=False)
class Cells(Shape):
    """Cells of a coarse grid over the whole image.

    Attributes:
        cells: ``(rows, columns)`` bool.
    """

    cells: Mask

    def draw(self, place: Place) -> Mask:
        """Assign every pixel to the cell that contains its centre."""
        x, y = place.centres()
        rows, columns = self.cells.shape
        row, column = np.intp(y * rows / place.size[0]), np.intp(x * columns / place.size[1])
        mask: Mask = self.cells[row, column]
        return mask


@dataclass(frozen=True, kw_only=True)
class Outline(Shape):
    """A shape defined by an inequality.

    Attributes:
        units: Units of its coordinates.
        size: ``(H, W)`` of the image to which ``pixels`` refer; drawn into another size, the shape is stretched.
    """

    units: Units = "image"
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.units not in {"pixels", "image", "face"}:
            raise InputError(f"units {self.units!r}; known: pixels, image, face")
        if self.units == "pixels" and self.size is None:
            raise InputError("a region in pixels needs the size (height, width) of the image that they refer to")

    @abstractmethod
    def inside(self, x: Floats, y: Floats) -> Mask:
        """Test which points, in the shape's units, belong to it."""

    def draw(self, place: Place) -> Mask:
        """Test the pixel centres in the shape's units."""
        x, y = place.centres()
        height, width = place.size
        if self.units == "face":
            if place.landmarks is None or not np.isfinite(place.landmarks).all():
                raise InputError("a region in face units needs the image's five landmarks")
            eyes, mouth = crop.centres(place.landmarks)
            down = mouth - eyes
            unit = float(down @ down)
            if unit < 1e-12:
                raise InputError("a region in face units needs distinct centres of eyes and mouth")
            dx, dy = x - (eyes[0] + 0.5), y - (eyes[1] + 0.5)  # landmarks count from the first pixel's centre
            return self.inside((dx * down[1] - dy * down[0]) / unit, (dx * down[0] + dy * down[1]) / unit)
        of = (1, 1) if self.size is None or self.units == "image" else self.size
        return self.inside(*np.broadcast_arrays(x * of[1] / width, y * of[0] / height))


@dataclass(frozen=True, kw_only=True)
class Box(Outline):
    """The box from ``(x0, y0)`` to ``(x1, y1)``."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise InputError(f"a box runs from x0, y0 to larger x1, y1, got {[self.x0, self.y0, self.x1, self.y1]}")

    def inside(self, x: Floats, y: Floats) -> Mask:
        """Include the left and upper edges, and exclude the right and lower ones."""
        return (x >= self.x0) & (x < self.x1) & (y >= self.y0) & (y < self.y1)


@dataclass(frozen=True, kw_only=True)
class Ellipse(Outline):
    """The ellipse with centre ``(x, y)`` and radii ``rx`` and ``ry``, rotated clockwise by ``angle`` degrees."""

    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.rx > 0 and self.ry > 0):
            raise InputError(f"an ellipse has radii above 0, got {self.rx} and {self.ry}")

    def inside(self, x: Floats, y: Floats) -> Mask:
        """Include the edge."""
        cos, sin = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        dx, dy = x - self.x, y - self.y
        mask: Mask = ((dx * cos + dy * sin) / self.rx) ** 2 + ((dy * cos - dx * sin) / self.ry) ** 2 <= 1
        return mask


@dataclass(frozen=True, kw_only=True)
class Polygon(Outline):
    """The polygon with these corners in order; the even-odd rule applies if the outline crosses itself."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.points) < 3:
            raise InputError(f"a polygon has at least three corners, got {len(self.points)}")

    def inside(self, x: Floats, y: Floats) -> Mask:
        """Count the edges that a ray to the right crosses (even-odd rule)."""
        odd = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
        for (x0, y0), (x1, y1) in zip(self.points, (*self.points[1:], self.points[0]), strict=True):
            if y0 != y1:
                odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        return odd


@dataclass(frozen=True, eq=False)
class Raster(Shape):
    """A mask drawn once, for example measured on aligned faces.

    Attributes:
        mask: ``(h, w)`` bool.
        landmarks: ``(5, 2)`` of the face for which it was drawn. If these and the image's are known, the mask is moved
            onto the image's face by the least-squares similarity; otherwise it is stretched to the image.
    """

    mask: Mask
    landmarks: NDArray[np.floating] | None = None

    def draw(self, place: Place) -> Mask:
        """Resample bilinearly, and keep pixels that are at least half covered."""
        soft = self.mask.astype(np.float32)
        if self.landmarks is None or place.landmarks is None or not np.isfinite(place.landmarks).all():
            matrix = crop.fit_matrix("stretch", (self.mask.shape[0], self.mask.shape[1]), place.size)
            return crop.warp(soft, matrix, place.size) >= 0.5
        # A frame of zeros, because the warp replicates the border, and outside the drawn mask there is no region.
        matrix = crop.compose(similarity(self.landmarks, place.landmarks), [[1, 0, -1], [0, 1, -1]])
        return crop.warp(np.pad(soft, 1), matrix, place.size) >= 0.5


@dataclass(frozen=True)
class Combined(Shape):
    """Shapes added and subtracted, in order.

    Attributes:
        parts: Pairs of a shape and whether it is subtracted.
    """

    parts: tuple[tuple[Shape, bool], ...]

    @property
    def needs_landmarks(self) -> bool:  # type: ignore[override]  # derived from the parts here
        """True if a part does."""
        return any(needs_landmarks(shape) for shape, _ in self.parts)

    def draw(self, place: Place) -> Mask | None:
        """Draw the parts; None if every added part is None."""
        result: Mask | None = None
        for shape, subtracted in self.parts:
            mask = shape.draw(place)
            if mask is None:
                continue
            if not subtracted:
                result = mask.copy() if result is None else result | mask
            elif result is not None:
                result &= ~mask
        return result


def needs_landmarks(shape: Shape) -> bool:
    """True if a shape cannot be drawn without landmarks."""
    return getattr(shape, "units", None) == "face" or shape.needs_landmarks


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> Floats:
    """Compute the least-squares similarity from points to others (Umeyama 1991), without mirroring.

    Args:
        source: ``(P, 2)``.
        target: ``(P, 2)``.

    Returns:
        ``(2, 3)``.

    Raises:
        InputError: All source points coincide.
    """
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    p, q = a - a.mean(axis=0), b - b.mean(axis=0)
    total = float((p**2).sum())
    if total < 1e-12:
        raise InputError("points that all coincide cannot be aligned")
    cos = float((p * q).sum()) / total
    sin = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / total
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, b.mean(axis=0) - linear @ a.mean(axis=0)])
