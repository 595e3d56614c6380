"""Regions of a face in which each attribute is expected to be visible."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.regions.shapes import (
    Box,
    Cells,
    Combined,
    Ellipse,
    Mask,
    Place,
    Polygon,
    Raster,
    Shape,
    needs_landmarks,
)
from bincam.data.regions.stored_masks import AttributeMasks, PartMasks, check_stems
from bincam.errors import InputError, nearest
from bincam.files import read_yaml
from bincam.resample import project

GRID = (7, 7)


@dataclass(frozen=True)
class Regions:
    """Named regions, and the assignment of attributes to them.

    Attributes:
        shapes: Region to shape.
        attributes: Attribute to region.
        source: Where the regions were read from, for messages.
        per_image: Whether masks are stored per image; they refer to the stored image, before any crop.

    Example:
        >>> import numpy as np
        >>> from bincam.data import Regions
        >>> points = np.array([[69, 111], [108, 111], [88, 135], [72, 152], [106, 152]])
        >>> mask = Regions.face().mask("Eyeglasses", (218, 178), landmarks=points)
        >>> mask.shape, bool(mask[111, 69]), bool(mask[200, 20])  # the left eye, a lower corner
        ((218, 178), True, False)
        >>> Regions.published().project(["Smiling", "Bald"], (7, 7), (224, 224)).shape
        (2, 7, 7)
    """

    shapes: Mapping[str, Shape]
    attributes: Mapping[str, str]
    source: str = ""
    per_image: bool = False

    def __post_init__(self) -> None:
        for attribute, region in self.attributes.items():
            if region not in self.shapes:
                raise InputError(
                    f"{self.source or 'regions'}: attribute {attribute!r} names region {region!r}"
                    f"{nearest(region, self.shapes)}"
                )

    @property
    def needs_landmarks(self) -> bool:
        """True if drawing needs the image's landmarks."""
        return any(needs_landmarks(shape) for shape in self.shapes.values())

    def check_images(self, images: Iterable[str]) -> None:
        """Refuse images of which two would share a mask stored per image.

        Raises:
            InputError: Their ids differ in the suffix alone.
        """
        if self.per_image:
            check_stems(images, self.source)

    def __contains__(self, attribute: str) -> bool:
        return self.per_image or attribute in self.attributes

    def mask(
        self,
        attribute: str,
        size: tuple[int, int],
        *,
        landmarks: NDArray[np.floating] | None = None,
        image: str | None = None,
        positive: bool | None = None,
        matrix: NDArray[np.floating] | None = None,
        stored: tuple[int, int] | None = None,
    ) -> Mask | None:
        """Draw the region of an attribute.

        Args:
            attribute: Its name.
            size: ``(H, W)`` of the image.
            landmarks: ``(5, 2)`` of the face in that image; regions in face units need them.
            image: The image's id; masks stored per image need it.
            positive: Whether the image has the attribute. A negative does not show the object, so its object mask is
                None.
            matrix: ``(2, 3)``, the crop, from the pixels of the stored image to those of ``size``. Masks stored per
                image move with it; all others are drawn into ``size`` and do not need it.
            stored: ``(H, W)`` of the stored image, with ``matrix``.

        Returns:
            ``(H, W)``, or None where there is no such region; measures are then NaN, not 0.

        Raises:
            InputError: Landmarks or id are needed and missing, or the attribute has no region here.
        """
        if attribute not in self:
            raise InputError(f"{self.source or 'regions'}: none for {attribute!r}{nearest(attribute, self.attributes)}")
        shape = self.shapes[self.attributes.get(attribute, "")]
        return shape.draw(Place(size, landmarks, image, attribute, positive, matrix, stored))

    def masks(
        self,
        attributes: Sequence[str],
        size: tuple[int, int],
        *,
        landmarks: NDArray[np.floating] | None = None,
        image: str | None = None,
        labels: Mapping[str, float] | None = None,
        matrix: NDArray[np.floating] | None = None,
        stored: tuple[int, int] | None = None,
    ) -> list[Mask | None]:
        """Draw the regions of several attributes, see ``mask``.

        Args:
            attributes: Their names.
            size: ``(H, W)``.
            landmarks: ``(5, 2)``.
            image: The image's id.
            labels: Label of each attribute in this image: 1, 0 or NaN.
            matrix: As for ``mask``.
            stored: As for ``mask``.

        Returns:
            A mask per attribute; also None for attributes that have no region.
        """
        result: list[Mask | None] = []
        drawn: dict[str, Mask | None] = {}
        for name in attributes:
            region = self.attributes.get(name)
            if region in drawn and not self.per_image:
                result.append(drawn[region])
                continue
            label = float("nan") if labels is None else labels.get(name, float("nan"))
            positive = None if np.isnan(label) else bool(label)
            mask = None
            if name in self:
                mask = self.mask(
                    name, size, landmarks=landmarks, image=image, positive=positive, matrix=matrix, stored=stored
                )
            result.append(mask)
            if region is not None:
                drawn[region] = mask
        return result

    def project(
        self, attributes: Sequence[str], grid: tuple[int, int], image_size: tuple[int, int], **where: Any
    ) -> NDArray[np.float64]:
        """Project the regions to weights on the grid of a map: Uᵀ1_M, exactly.

        Args:
            attributes: The A names.
            grid: ``(h, w)`` of the maps.
            image_size: ``(H, W)`` to which U upsamples a map.
            where: The other arguments of ``masks``.

        Returns:
            ``(A, h, w)``; the sum of a grid map times this equals that of the upsampled map over the region. NaN for
            attributes without a region.
        """
        result = np.full((len(attributes), *grid), np.nan)
        for i, mask in enumerate(self.masks(attributes, image_size, **where)):
            if mask is not None:
                result[i] = project(mask, grid)
        return result

    @classmethod
    def published(cls) -> Regions:
        """Make the twelve published masks on the 7x7 grid, for face crops (``fit="face"``) of any size."""
        text = (
            resources.files("bincam.data.regions").joinpath("assets/published_regions.csv").read_text(encoding="utf-8")
        )
        cells: dict[str, Mask] = {}
        attributes: dict[str, str] = {}
        for row in csv.DictReader(text.splitlines()):
            start, _, minus = row["rows"].partition(" minus ")
            if minus:
                rows, columns = minus.split(" x ")
                mask = cells[start] & ~_block(rows, columns)
            else:
                mask = _block(row["rows"], row["cols"])
            cells[row["region"]] = mask
            attributes |= dict.fromkeys(row["attributes"].split(), row["region"])
        return cls({name: Cells(mask) for name, mask in cells.items()}, attributes, "published 7x7 regions")

    @classmethod
    def face(cls) -> Regions:
        """Make boxes and ellipses in face units for CelebA's 40 attributes, placed by the landmarks of a face."""
        return cls._shipped("face_regions.yaml", "face regions")

    @classmethod
    def orl(cls) -> Regions:
        """Make glasses, lower face and face of the ORL photographs, which share one framing and have no landmarks."""
        return cls._shipped("orl_regions.yaml", "ORL regions")

    @classmethod
    def _shipped(cls, name: str, source: str) -> Regions:
        with resources.as_file(resources.files("bincam.data.regions").joinpath(f"assets/{name}")) as file:
            return replace(cls.read(file), source=source)

    @classmethod
    def stored(cls, folder: str | os.PathLike[str]) -> Regions:
        """Use masks stored per image.

        Args:
            folder: Folder with ``STEM.png``, and ``parts.json`` in it or in its parent, for indexed parts; otherwise
                with ``ATTRIBUTE/STEM.png`` or ``STEM.npz``.

        Raises:
            InputError: There is no such folder.
        """
        path = Path(folder)
        if not path.is_dir():
            raise InputError(f"{path}: no such folder")
        parts = (path / "parts.json").is_file() or (path.name == "parts" and (path.parent / "parts.json").is_file())
        if parts and (path / "parts").is_dir():
            path /= "parts"
        return cls({"": PartMasks(path) if parts else AttributeMasks(path)}, {}, str(path), per_image=True)

    @classmethod
    def drawn(
        cls, masks: Mapping[str, Mask], landmarks: NDArray[np.floating] | None = None, source: str = ""
    ) -> Regions:
        """Use one mask per attribute for all images.

        Args:
            masks: Attribute to ``(H, W)`` bool.
            landmarks: ``(5, 2)`` of the face for which the masks were drawn; they are then moved to the landmarks of
                other faces.
            source: Where the masks were read from, for messages.

        Example:
            >>> import numpy as np
            >>> from bincam.data import Regions
            >>> top = np.arange(4)[:, None].repeat(4, 1) < 2
            >>> Regions.drawn({"Bald": top}).mask("Bald", (2, 2)).tolist()
            [[True, True], [False, False]]
        """
        shapes = {name: Raster(np.asarray(mask, bool), landmarks) for name, mask in masks.items()}
        return cls(shapes, {name: name for name in shapes}, source)

    @classmethod
    def read(cls, file: str | os.PathLike[str]) -> Regions:
        """Read regions from a YAML file; ``docs/regions.md`` describes the format.

        Raises:
            InputError: The file is missing or malformed; the message names the region.

        Example:
            >>> from pathlib import Path
            >>> from tempfile import TemporaryDirectory
            >>> from bincam.data import Regions
            >>> with TemporaryDirectory() as folder:
            ...     file = Path(folder, "mine.yaml")
            ...     _ = file.write_text("regions: {Bald: {box: [0, 0, 1, 0.5]}}")
            ...     Regions.read(file).mask("Bald", (2, 2)).tolist()
            [[True, True], [False, False]]
        """
        path = Path(file)
        value = read_yaml(path)
        if not isinstance(value, dict) or not isinstance(value.get("regions"), dict):
            raise InputError(f"{path}: expected 'regions:' that maps names to shapes; docs/regions.md has an example")
        for key in value.keys() - {"regions", "attributes", "units", "size"}:
            raise InputError(f"{path}: unknown key {key!r}; known: regions, attributes, units, size")
        defaults = {key: value[key] for key in ("units", "size") if key in value}
        shapes = {
            str(name): _shape(f"{path}: region {name!r}", spec, defaults) for name, spec in value["regions"].items()
        }
        attributes = value.get("attributes") or {name: name for name in shapes}
        if not isinstance(attributes, dict):
            raise InputError(f"{path}: 'attributes' must map each attribute to a region")
        return cls(shapes, {str(a): str(r) for a, r in attributes.items()}, str(path))


_FORMS: dict[str, tuple[str, ...]] = {
    "box": ("x0", "y0", "x1", "y1"),
    "ellipse": ("x", "y", "rx", "ry"),
    "polygon": (),
    "cells": (),
}


def _shape(where: str, spec: Any, defaults: Mapping[str, Any]) -> Shape:
    """Parse a region from YAML: one shape, or a list of shapes of which some are subtracted."""
    if isinstance(spec, list):
        if not spec:
            raise InputError(f"{where}: no shapes")
        for part in spec:
            if not isinstance(part, dict):
                raise InputError(f"{where}: a shape is one of {', '.join(_FORMS)} with numbers, got {part!r}")
        parts = [
            (_shape(where, {k: v for k, v in p.items() if k != "minus"}, defaults), bool(p.get("minus"))) for p in spec
        ]
        if parts[0][1]:
            raise InputError(f"{where}: the first shape cannot be subtracted, because nothing precedes it")
        return Combined(tuple(parts))
    forms = [key for key in spec if key in _FORMS] if isinstance(spec, dict) else []
    if len(forms) != 1:
        raise InputError(f"{where}: a shape is one of {', '.join(_FORMS)} with numbers, got {spec!r}")
    form, value = forms[0], spec[forms[0]]
    for key in spec.keys() - {form, "units", "size", "angle"}:
        raise InputError(f"{where}: unknown key {key!r}; known: {form}, units, size, angle, minus")
    frame: dict[str, Any] = {**defaults, **{k: spec[k] for k in ("units", "size") if k in spec}}
    try:
        if frame.get("size") is not None:
            frame["size"] = _whole_pair(frame["size"], "size")
        if form == "cells":
            return _cells(**value)
        if form == "polygon":
            return Polygon(points=tuple((_number(x), _number(y)) for x, y in value), **frame)
        numbers: dict[str, Any] = dict(zip(_FORMS[form], map(_number, value), strict=True))
        if form == "box":
            return Box(**numbers, **frame)
        return Ellipse(**numbers, angle=_number(spec.get("angle", 0)), **frame)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (TypeError, ValueError, KeyError, IndexError):
        expected = (
            ", ".join(_FORMS[form]) or {"polygon": "[x, y] per corner", "cells": "rows and columns, as in 2-4"}[form]
        )
        raise InputError(f"{where}: {form} takes {expected}, got {value!r}") from None


def _cells(*, rows: Any, columns: Any, grid: Any = GRID) -> Cells:
    return Cells(_block(rows, columns, _whole_pair(grid, "grid")))


_MOST = 10_000
"""Pixels, or cells, along one side."""


def _whole_pair(value: Any, what: str) -> tuple[int, int]:
    """Read ``[height, width]`` of an image, or ``[rows, columns]`` of a grid."""
    if not isinstance(value, list | tuple) or len(value) != 2 or any(isinstance(n, bool) for n in value):
        raise InputError(f"{what} is two whole numbers above 0, vertical first, got {value!r}")
    vertical, horizontal = (int(n) if isinstance(n, int | float) and n == n // 1 else 0 for n in value)
    if not (0 < vertical <= _MOST and 0 < horizontal <= _MOST):
        raise InputError(f"{what} is two whole numbers above 0, vertical first, got {value!r}")
    return vertical, horizontal


def _number(value: Any) -> float:
    """Read a finite number; YAML's true and a text are none."""
    if isinstance(value, str):
        raise TypeError(value)
    try:
        number = float(value)
    except OverflowError:  # of a whole number of over 308 digits
        number = math.inf
    if isinstance(value, bool) or not math.isfinite(number):
        raise InputError(f"{value!r} is no finite number")
    return number


def _block(rows: str, columns: str, grid: tuple[int, ...] = GRID) -> Mask:
    """Make cells from ranges whose ends are exclusive: ``"2-4"``, or ``"1-3+4-6"``."""
    mask = np.zeros((grid[0], grid[1]), bool)
    for r in str(rows).split("+"):
        for c in str(columns).split("+"):
            (top, bottom), (left, right) = (tuple(map(int, part.split("-"))) for part in (r, c))
            if not (0 <= top < bottom <= grid[0] and 0 <= left < right <= grid[1]):
                raise InputError(f"cells {r} x {c} are not in a grid of {grid[0]} x {grid[1]}")
            mask[top:bottom, left:right] = True
    return mask
