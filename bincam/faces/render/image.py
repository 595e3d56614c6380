"""One face, from its spec to pixels, parts, landmarks and the labels that can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces.appearance import colours as looks
from bincam.faces.appearance.background import background
from bincam.faces.geometry import accessories, facial_hair, hair, identity
from bincam.faces.geometry import pose as posing
from bincam.faces.geometry.head import load, normals
from bincam.faces.geometry.material_ids import LENS
from bincam.faces.geometry.scene import assemble, box, worn
from bincam.faces.geometry.skull import skull
from bincam.faces.labels.spec import FaceSpec
from bincam.faces.render import camera as cameras
from bincam.faces.render import raster
from bincam.faces.render.hair_shading import sheen
from bincam.faces.render.shading import REACH, SHADOW, shade
from bincam.faces.render.visibility import seen

Array = NDArray[Any]

SMALLEST = (44, 54)  # below this neither brows nor earrings are one pixel
LARGEST = 2048


@dataclass(frozen=True)
class Rendered:
    """One drawn face.

    Attributes:
        image: (H, W, 3) uint8 RGB, after the sensor's noise and before JPEG.
        parts: (H, W) uint8, a :class:`bincam.faces.labels.parts.Part` for each pixel.
        visible: (40,) bool, false for what can't be seen: a label is true only if it is true and visible.
        landmarks: (5, 2) x and y of lefteye, righteye, nose, leftmouth, rightmouth, left as in the image.
        bbox: x, y, width, height of the head.
        jpeg_quality: At which to store the image.
    """

    image: Array
    parts: Array
    visible: Array
    landmarks: Array
    bbox: tuple[float, float, float, float]
    jpeg_quality: int


def render(
    spec: FaceSpec, size: tuple[int, int] = posing.SIZE, *, camera: bool = True, shadows: bool = True
) -> Rendered:
    """Draw one face.

    Args:
        spec: The face. Equal specs give equal bytes, in any process and order.
        size: (W, H) in pixels; 178 x 218 is aligned as CelebA is, other sizes show the same crop scaled.
        camera: With the sensor's noise. ``Blurry`` blurs either way.
        shadows: With the shadows that things cast; without them an attribute changes only its own parts.

    Raises:
        InputError: The size cannot show the attributes, or is beyond 2048.
    """
    width, height = size
    if width < SMALLEST[0] or height < SMALLEST[1] or max(size) > LARGEST:
        raise InputError(
            f"faces are drawn at {SMALLEST[0]}x{SMALLEST[1]} to {LARGEST}x{LARGEST} pixels, got {width}x{height}; "
            "smaller ones would not show the attributes"
        )
    head = load()
    who = identity.shape(head, spec, whole=False)
    points = identity.shape(head, spec)
    out = normals(points, head.triangles)
    pose = posing.scaled(posing.pose(head, who, spec), size)
    light = looks.light(spec)
    grid = skull(identity.frame(head, spec))
    how = hair.style(spec, accessories.hat_rim(spec) if spec["Wearing_Hat"] else 99.0)
    scene = assemble(head, points, out, worn(head, who, points, out, grid, spec), pose)

    middle = pose.place(np.array([[0, 7.1, 0.4]], np.float32), np.ones(1, np.float32))[0].astype(np.float64)
    axes = _axes(light.key)
    brown = looks.brow_colour(spec)
    every = [
        hair.grow(head, points, out, grid, spec, how),
        facial_hair.brows(head, points, out, spec, brown),
        facial_hair.beard(head, points, out, spec, brown),
    ]
    grown = [g for g in every if g is not None and len(g.points)]
    viewed = [pose.view(g.points.reshape(-1, 3)) for g in grown]

    solid = int((scene.material != LENS).sum())  # lenses come last
    shadow = np.full((SHADOW, SHADOW), raster.FAR, np.float32)
    half = 0.5 * SHADOW / REACH
    to_map = (axes * np.array([[half], [half], [1.0]])).astype(np.float32)
    offset = np.array([SHADOW / 2, SHADOW / 2, 0], np.float32) - middle.astype(np.float32) @ to_map.T
    if shadows:
        nothing = np.empty_like(shadow, dtype=np.int32)
        cast = raster.transform(scene.position, to_map, offset)
        raster.triangles(cast, scene.index[:solid], scene.bias, shadow, nothing, 0)
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
    colours, labels = [], []
    for strands, (placed, xyz) in zip(grown, viewed, strict=True):
        form = strands.points.shape
        rgb = np.empty(form, np.float32)
        sheen(
            placed.reshape(form), strands.layer, strands.tint, strands.colour, strands.gloss, light, axes, middle,
            shadow, rgb,
        )  # fmt: skip
        raster.strands(xyz.reshape(form), max(strands.width * pixel, 1.0), depth, owner, start)
        start += len(placed)
        colours.append(rgb.reshape(-1, 3))
        labels.append(np.repeat(strands.label, form[1]))
    knot_colour, knot_part = np.concatenate(colours), np.concatenate(labels)

    image, parts = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.uint8)
    shade(
        owner, depth, knot_colour, knot_part, lens_owner, lens_depth, first, scene.xyz, scene.index, scene.position,
        scene.normal, scene.local, scene.ambient, scene.material, looks.paint(spec, how), looks.wear(spec),
        looks.eyes(spec, head.points[head.eyes[0]].mean(axis=0).astype(np.float64)), light, axes, middle, shadow,
        background(spec.seed, size), image, parts,
    )  # fmt: skip
    photograph, quality = cameras.develop(image, spec, width / posing.SIZE[0], noise=camera)
    marks = posing.marks(head, points)
    return Rendered(
        image=photograph,
        parts=parts,
        visible=seen(parts, spec),
        landmarks=pose.project(pose.place(marks, np.ones(5, np.float32))),
        bbox=box(head, scene, size),
        jpeg_quality=quality,
    )


def _axes(key: Array) -> Array:
    """(3, 3) the frame of a directional light: two axes across, and towards it."""
    across = np.cross([0.0, 1.0, 0.0], key)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(key, across), key])
