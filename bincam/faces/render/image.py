"""The renderer: from the spec of a face to its pixels, parts, landmarks and visible attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces.appearance import colours
from bincam.faces.appearance.background import background
from bincam.faces.geometry import accessories, facial_hair, hair, identity
from bincam.faces.geometry.head import load, normals
from bincam.faces.geometry.material_ids import LENS
from bincam.faces.geometry.pose import SIZE, aligned, landmarks, scaled
from bincam.faces.geometry.scene import assemble, box, worn
from bincam.faces.geometry.skull import skull
from bincam.faces.labels.spec import FaceSpec
from bincam.faces.render import raster
from bincam.faces.render.camera import develop
from bincam.faces.render.hair_shading import sheen
from bincam.faces.render.settings import LARGEST, SMALLEST
from bincam.faces.render.shading import REACH, SHADOW, shade
from bincam.faces.render.visibility import seen

Array = NDArray[Any]


@dataclass(frozen=True)
class Rendered:
    """One rendered face.

    Attributes:
        image: (H, W, 3) uint8 RGB, after the sensor's noise and before JPEG.
        parts: (H, W) uint8, a :class:`bincam.faces.labels.parts.Part` for each pixel.
        visible: (40,) bool, False for attributes that cannot be seen, whose labels then do not count as true.
        landmarks: (5, 2) x and y of left eye, right eye, nose, left and right corner of the mouth, as in the image.
        bbox: x, y, width, height of the head, in pixels.
        jpeg_quality: Quality with which to store the image.
    """

    image: Array
    parts: Array
    visible: Array
    landmarks: Array
    bbox: tuple[float, float, float, float]
    jpeg_quality: int


def render(spec: FaceSpec, size: tuple[int, int] = SIZE, *, camera: bool = True, shadows: bool = True) -> Rendered:
    """Render one face.

    Args:
        spec: The face. Equal specs give equal bytes, in any process and order.
        size: (W, H) in pixels. 178 x 218 is aligned as CelebA is; other sizes show the same crop, scaled.
        camera: Add the sensor's noise. ``Blurry`` blurs in either case.
        shadows: Cast shadows. Without them an attribute changes only its own parts.

    Returns:
        The image and its ground truth.

    Raises:
        InputError: The size is below 44 x 54, which cannot show the attributes, or above 2048.

    >>> from bincam.faces.labels.sampler import spec
    >>> from bincam.faces.render.image import render
    >>> face = render(spec(7), (64, 80))
    >>> face.image.shape, face.parts.shape, face.landmarks.shape
    ((80, 64, 3), (80, 64), (5, 2))
    """
    width, height = size
    if width < SMALLEST[0] or height < SMALLEST[1] or max(size) > LARGEST:
        raise InputError(
            f"expected a size of {SMALLEST[0]}x{SMALLEST[1]} to {LARGEST}x{LARGEST} pixels, got {width}x{height}; "
            "smaller images cannot show the attributes"
        )
    head = load()
    person = identity.shape(head, spec, whole=False)
    points = identity.shape(head, spec)
    outward = normals(points, head.triangles)
    pose = scaled(aligned(head, person, spec), size)
    light = colours.light(spec)
    grid = skull(identity.frame(head, spec))
    style = hair.style(spec, accessories.hat_rim(spec) if spec["Wearing_Hat"] else 99.0)
    scene = assemble(head, points, outward, worn(head, person, points, outward, grid, spec), pose)

    middle = pose.place(np.array([[0, 7.1, 0.4]], np.float32), np.ones(1, np.float32))[0].astype(np.float64)
    axes = _axes(light.key)
    brow_colour = colours.brow_colour(spec)
    candidates = [
        hair.grow(head, points, outward, grid, spec, style),
        facial_hair.brows(head, points, outward, spec, brow_colour),
        facial_hair.beard(head, points, outward, spec, brow_colour),
    ]
    grown = [strands for strands in candidates if strands is not None and len(strands.points)]
    viewed = [pose.view(strands.points.reshape(-1, 3)) for strands in grown]

    solid = int((scene.material != LENS).sum())  # lenses come last in the scene
    shadow = np.full((SHADOW, SHADOW), raster.FAR, np.float32)
    half = 0.5 * SHADOW / REACH
    to_map = (axes * np.array([[half], [half], [1.0]])).astype(np.float32)
    offset = np.array([SHADOW / 2, SHADOW / 2, 0], np.float32) - middle.astype(np.float32) @ to_map.T
    if shadows:
        owners = np.empty_like(shadow, dtype=np.int32)  # required by the rasteriser, not used
        cast = raster.transform(scene.position, to_map, offset)
        raster.triangles(cast, scene.index[:solid], scene.bias, shadow, owners, 0)
        if not spec["Bald"]:
            raster.splat(viewed[0][0], to_map, offset, shadow, 0.05)

    depth = np.full((2 * height, 2 * width), raster.FAR, np.float32)
    owner = np.full((2 * height, 2 * width), -1, np.int32)
    lens_depth, lens_owner = np.full_like(depth, raster.FAR), np.full_like(owner, -1)
    raster.triangles(scene.xyz, scene.index[:solid], scene.bias, depth, owner, len(head.triangles))
    if solid < len(scene.index):
        raster.triangles(scene.xyz, scene.index[solid:], scene.bias[solid:], lens_depth, lens_owner, 0)
        lens_owner[lens_owner >= 0] += solid
    pixel = 2 * float(np.hypot(pose.matrix[0, 0], pose.matrix[0, 1]))
    first = start = len(scene.index)
    knot_colours, knot_parts = [], []
    for strands, (placed, xyz) in zip(grown, viewed, strict=True):
        shape = strands.points.shape
        rgb = np.empty(shape, np.float32)
        sheen(
            placed.reshape(shape), strands.layer, strands.tint, strands.colour, strands.gloss, light, axes, middle,
            shadow, rgb,
        )  # fmt: skip
        raster.strands(xyz.reshape(shape), max(strands.width * pixel, 1.0), depth, owner, start)
        start += len(placed)
        knot_colours.append(rgb.reshape(-1, 3))
        knot_parts.append(np.repeat(strands.label, shape[1]))
    knot_colour, knot_part = np.concatenate(knot_colours), np.concatenate(knot_parts)

    image, parts = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.uint8)
    shade(
        owner, depth, knot_colour, knot_part, lens_owner, lens_depth, first, scene.xyz, scene.index, scene.position,
        scene.normal, scene.local, scene.ambient, scene.material, colours.paint(spec, style), colours.wear(spec),
        colours.eyes(spec, head.points[head.eyes[0]].mean(axis=0).astype(np.float64)), light, axes, middle, shadow,
        background(spec.seed, size), image, parts,
    )  # fmt: skip
    photograph, quality = develop(image, spec, width / SIZE[0], noise=camera)
    return Rendered(
        image=photograph,
        parts=parts,
        visible=seen(parts, spec),
        landmarks=pose.project(pose.place(landmarks(head, points), np.ones(5, np.float32))),
        bbox=box(head, scene, size),
        jpeg_quality=quality,
    )


def _axes(key: Array) -> Array:
    """Return (3, 3), the frame of a directional light: two axes across it and one towards it."""
    across = np.cross([0.0, 1.0, 0.0], key)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(key, across), key])
