"""One face, from its spec to pixels, parts, landmarks and the labels that can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces import camera, hair, looks, person, props, raster, whiskers
from bincam.faces import pose as posing
from bincam.faces.background import background
from bincam.faces.head import Head, load, normals
from bincam.faces.parts import MEMBER, Part
from bincam.faces.shade import LENS, REACH, SHADOW, Light, shade
from bincam.faces.skull import skull
from bincam.faces.spec import ATTRIBUTES, FaceSpec

Array = NDArray[Any]

SMALLEST = (44, 54)  # below this neither brows nor earrings are one pixel
LARGEST = 2048
# Pixels of an attribute's parts at 178 x 218 without which its label is not to be seen.
_ENOUGH = {
    "Wearing_Earrings": 8, "Wearing_Necklace": 16, "Wearing_Necktie": 30, "Sideburns": 12, "Goatee": 20,
    "Mustache": 12, "Bangs": 40, "Eyeglasses": 60, "Wearing_Hat": 120, "Bald": 120, "Receding_Hairline": 30,
    "Black_Hair": 60, "Blond_Hair": 60, "Brown_Hair": 60, "Gray_Hair": 60, "Straight_Hair": 60, "Wavy_Hair": 60,
    "Arched_Eyebrows": 12, "Bushy_Eyebrows": 12, "Rosy_Cheeks": 20, "Bags_Under_Eyes": 12, "Narrow_Eyes": 8,
}  # fmt: skip
_SCALP_ONLY = {"Bald", "Receding_Hairline"}


@dataclass(frozen=True)
class Rendered:
    """One drawn face.

    Attributes:
        image: (H, W, 3) uint8 RGB, after the sensor's noise and before JPEG.
        parts: (H, W) uint8, a :class:`bincam.faces.parts.Part` for each pixel.
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


@dataclass(frozen=True)
class Scene:
    """All triangles of one photograph, in the viewer's frame and on the sample grid."""

    xyz: Array
    index: Array
    position: Array
    normal: Array
    local: Array
    ambient: Array
    material: Array
    bias: Array


def render(spec: FaceSpec, size: tuple[int, int] = posing.SIZE, *, camera: bool = True, shadows: bool = True) -> Rendered:
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
    who = person.shape(head, spec, whole=False)
    points = person.shape(head, spec)
    out = normals(points, head.triangles)
    pose = posing.scaled(posing.pose(head, who, spec), size)
    light = looks.light(spec)
    grid = skull(person.frame(head, spec))
    how = hair.style(spec, props.hat_rim(spec) if spec["Wearing_Hat"] else 99.0)
    scene = assemble(head, points, out, _worn(head, who, points, out, grid, spec), pose)

    middle = pose.place(np.array([[0, 7.1, 0.4]], np.float32), np.ones(1, np.float32))[0].astype(np.float64)
    axes = _axes(light.key)
    brown = looks.brow_colour(spec)
    grown = [
        hair.grow(head, points, out, grid, spec, how),
        whiskers.brows(head, points, out, spec, brown),
        whiskers.beard(head, points, out, spec, brown),
    ]
    grown = [g for g in grown if g is not None and len(g.points)]
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
        _tint(
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
        owner, depth, knot_colour, knot_part, lens_owner, lens_depth, first, scene.xyz, scene.index, scene.position, scene.normal,
        scene.local, scene.ambient, scene.material, looks.paint(spec, how), looks.wear(spec),
        looks.eyes(spec, head.points[head.eyes[0]].mean(axis=0).astype(np.float64)), light, axes, middle, shadow,
        background(spec.seed, size), image, parts,
    )  # fmt: skip
    photograph, quality = _develop(image, spec, width / posing.SIZE[0], camera)
    marks = posing.marks(head, points)
    return Rendered(
        image=photograph,
        parts=parts,
        visible=seen(parts, spec),
        landmarks=pose.project(pose.place(marks, np.ones(5, np.float32))),
        bbox=_box(head, scene, size),
        jpeg_quality=quality,
    )


def _develop(image: Array, spec: FaceSpec, scale: float, noise: bool) -> tuple[Array, int]:
    return camera.develop(image, spec, scale, noise=noise)


def _worn(head: Head, who: Array, points: Array, out: Array, grid: Array, spec: FaceSpec) -> list[props.Mesh]:
    """The meshes of all that is worn; lenses last."""
    worn: list[props.Mesh] = []
    if spec["Wearing_Hat"]:
        worn += props.hat(grid, spec)
    if spec["Wearing_Earrings"]:
        worn += props.earrings(points, spec)
    if spec["Wearing_Necklace"]:
        worn += props.necklace(points, out, spec)
    if spec["Wearing_Necktie"]:
        worn += props.necktie(points, out, spec)
    if spec["Eyeglasses"]:
        worn += props.glasses(head, who, spec)
    return worn


def assemble(head: Head, points: Array, out: Array, worn: list[props.Mesh], pose: posing.Pose) -> Scene:
    """Head and things worn as one list of triangles."""
    stiff = posing.stiffness(head.points)
    position = [pose.place(points, stiff)]
    normal = [pose.turn(out, stiff)]
    local, ambient, index = [head.points], [head.occlusion], [head.triangles]
    material = [head.surface.astype(np.int64)]
    start = len(points)
    for mesh in worn:
        n = len(mesh.points)
        # what lies on the body moves as the body there does
        moves = posing.stiffness(mesh.points) if mesh.body else np.ones(n, np.float32)
        p = mesh.points.astype(np.float32)
        position.append(pose.place(p, moves))
        normal.append(pose.turn(normals(p, mesh.triangles.astype(np.int32)), moves))
        local.append(mesh.local.astype(np.float32))
        ambient.append(np.full(n, 0.85, np.float32))
        index.append((mesh.triangles + start).astype(np.int32))
        material.append(np.full(len(mesh.triangles), mesh.material, np.int64))
        start += n
    placed = np.concatenate(position)
    kinds = np.concatenate(material)
    xyz = np.empty_like(placed)
    xyz[:, :2] = 2 * pose.project(placed)
    xyz[:, 2] = placed[:, 2]
    return Scene(
        xyz=xyz,
        index=np.concatenate(index),
        position=placed,
        normal=np.concatenate(normal),
        local=np.concatenate(local),
        ambient=np.concatenate(ambient),
        material=kinds,
        bias=np.where(kinds == 1, -0.02, 0.0).astype(np.float32),
    )


def _axes(key: Array) -> Array:
    """(3, 3) the frame of a directional light: two axes across, and towards it."""
    across = np.cross([0.0, 1.0, 0.0], key)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(key, across), key])


def seen(parts: Array, spec: FaceSpec) -> Array:
    """(40,) bool: what can be seen, were the labels those of the spec."""
    counts = np.bincount(parts.ravel(), minlength=len(Part))[: len(Part)]
    scale = parts.size / (posing.SIZE[0] * posing.SIZE[1])
    result = np.ones(len(ATTRIBUTES), bool)
    for i, attribute in enumerate(ATTRIBUTES):
        if attribute in _ENOUGH:
            n = counts[Part.SCALP] if attribute in _SCALP_ONLY else counts[MEMBER[i]].sum()
            result[i] = n >= max(_ENOUGH[attribute] * scale, 2)
    if spec["Bald"]:
        result[[ATTRIBUTES.index(a) for a in ("Receding_Hairline", "Bangs")]] = False
    return result


def _box(head: Head, scene: Scene, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """x, y, width, height of the head in the image."""
    above = (head.points[:, 1] > 6.15) & (head.points[:, 2] > 0.2)
    flat = scene.xyz[: len(head.points)][above, :2] / 2
    low, high = flat.min(axis=0).clip(0), np.minimum(flat.max(axis=0), size)
    x, y, w, h = (float(v) for v in (*low, *(high - low)))
    return x, y, w, h


@njit(cache=True)
def _tint(
    where: Array, layer: Array, tint: Array, base: Array, gloss: float, light: Light, axes: Array, middle: Array,
    shadow: Array, rgb: Array,
) -> None:  # fmt: skip
    """Kajiya and Kay's hair shading at every knot of strands (S, K, 3) in the viewer's frame."""
    count, knots = where.shape[0], where.shape[1]
    scale = 0.5 * SHADOW / REACH
    for s in range(count):
        inner = 0.42 + 0.58 * layer[s]
        for k in range(knots):
            i, j = max(k - 1, 0), min(k + 1, knots - 1)
            tx = where[s, j, 0] - where[s, i, 0]
            ty = where[s, j, 1] - where[s, i, 1]
            tz = where[s, j, 2] - where[s, i, 2]
            n = 1 / (np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-9)
            tx, ty, tz = tx * n, ty * n, tz * n
            rx, ry, rz = where[s, k, 0] - middle[0], where[s, k, 1] - middle[1], where[s, k, 2] - middle[2]
            # a rough normal: away from the head's middle
            rn = 1 / (np.sqrt(rx * rx + ry * ry + rz * rz) + 1e-9)
            facing = (rx * light.key[0] + ry * light.key[1] + rz * light.key[2]) * rn
            u = int((axes[0, 0] * rx + axes[0, 1] * ry + axes[0, 2] * rz) * scale + 0.5 * SHADOW)
            v = int((axes[1, 0] * rx + axes[1, 1] * ry + axes[1, 2] * rz) * scale + 0.5 * SHADOW)
            w = axes[2, 0] * rx + axes[2, 1] * ry + axes[2, 2] * rz
            lit = 1.0
            if 0 <= u < SHADOW and 0 <= v < SHADOW:
                d = shadow[v, u] - w
                lit = 1 - min(max((d - 0.02) / 0.16, 0.0), 0.85)
            tl = tx * light.key[0] + ty * light.key[1] + tz * light.key[2]
            sl = np.sqrt(max(1 - tl * tl, 0.0))
            sv = np.sqrt(max(1 - tz * tz, 0.0))
            shifted = tl * 0.995 + 0.10
            spec = max(sl * sv - shifted * tz, 0.0) ** 26 * gloss
            wide = max(sl * sv - (shifted - 0.22) * tz, 0.0) ** 8
            body = sl * (0.30 + 0.70 * min(max(0.35 + 0.75 * facing, 0.0), 1.0))
            root = 0.72 + 0.28 * min(k / (0.35 * knots), 1.0)
            up = 0.5 + 0.5 * ry * rn
            for c in range(3):
                diffuse = base[c] * tint[s] * inner * root
                ambient = light.above[c] * (0.35 + 0.65 * up) + light.below[c] * (0.5 - 0.5 * up)
                shine = (0.035 + 0.22 * base[c]) * spec + 0.20 * base[c] * wide
                rgb[s, k, c] = diffuse * (light.key_colour[c] * body * lit * 1.15 + ambient * 0.9) + (
                    light.key_colour[c] * lit * shine * inner
                )
