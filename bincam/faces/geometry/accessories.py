"""Accessories as meshes on the upright head: glasses, hat, earrings, necklace, tie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.geometry.head import Head, load
from bincam.faces.geometry.material_ids import COLLAR, EARRING, FRAME, HAT, LENS, NECKLACE, TIE
from bincam.faces.geometry.skull import MIDDLE, radius
from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]


@dataclass(frozen=True)
class Mesh:
    """One accessory.

    Attributes:
        points: (N, 3) on the upright head, in decimetres.
        triangles: (T, 3) indices of points.
        local: (N, 3) coordinates of the pattern on the accessory.
        material: One of :mod:`bincam.faces.geometry.material_ids`.
        body: True if it moves with the shoulders and not with the head.
    """

    points: Array
    triangles: Array
    local: Array
    material: int
    body: bool = False


def grid_triangles(rows: int, columns: int, closed: bool) -> Array:
    """Return (T, 3) triangles of a grid of vertices, row by row; ``closed`` joins the last column to the first."""
    last = columns if closed else columns - 1
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(last), indexing="ij")
    a, b = (i * columns + j).ravel(), (i * columns + (j + 1) % columns).ravel()
    return np.concatenate([np.stack([a, b, a + columns], 1), np.stack([b, b + columns, a + columns], 1)])


def tube(path: Array, thick: Array | float, material: int, *, closed: bool, sides: int = 6, body: bool = False) -> Mesh:
    """Build a tube along a path (N, 3)."""
    ahead = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9
    up = np.where(np.abs(ahead[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    a = np.cross(ahead, up)
    a /= np.linalg.norm(a, axis=1, keepdims=True) + 1e-9
    b = np.cross(ahead, a)
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.cos(angle)[None, :, None] * a[:, None] + np.sin(angle)[None, :, None] * b[:, None]
    points = path[:, None] + np.reshape(thick, (-1, 1, 1)) * ring
    n = len(path)
    triangles = grid_triangles(n, sides, closed=True)
    if closed:
        join = grid_triangles(2, sides, closed=True)
        triangles = np.concatenate([triangles, np.where(join < sides, join + (n - 1) * sides, join - sides)])
    flat = points.reshape(-1, 3)
    return Mesh(flat, triangles, flat.copy(), material, body)


def ball(middle: Array, size: Array, material: int, *, body: bool = False) -> Mesh:
    """Build an ellipsoid."""
    rows, columns = 6, 8
    v = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    u = np.arange(columns)[None] * 2 * np.pi / columns
    unit = np.stack(np.broadcast_arrays(np.sin(v) * np.sin(u), np.cos(v), np.sin(v) * np.cos(u)), -1).reshape(-1, 3)
    return Mesh(middle + unit * size, grid_triangles(rows, columns, closed=True), unit.copy(), material, body)


def join(meshes: list[Mesh]) -> Mesh:
    """Join meshes of one material."""
    starts = np.cumsum([0] + [len(m.points) for m in meshes])
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.triangles + s for m, s in zip(meshes, starts[:-1], strict=True)]),
        np.concatenate([m.local for m in meshes]),
        meshes[0].material,
        meshes[0].body,
    )


def glasses(head: Head, person: Array, spec: FaceSpec) -> list[Mesh]:
    """Build frame and lenses in front of the person's eyes, independently of the attributes of the eyes."""
    rng = stream(spec.seed, "glasses")
    wide, high, square, thick, wire = rng.random(5)
    eyes = person[head.eyes].mean(axis=1)
    half_w, half_h, power = 0.235 + 0.035 * wide, 0.165 + 0.05 * high, 2.0 + 2.5 * square
    t = np.arange(28) * 2 * np.pi / 28
    cx, cy = (
        np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power),
        np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power),
    )
    frames, lenses = [], []
    radius_ = 0.007 if wire < 0.35 else 0.012 + 0.014 * thick
    rims = []
    # the temples are fitted close to the head
    p, z = person, head.points[:, 2]
    at_temples = (
        (np.abs(p[:, 1] - eyes[0, 1] - 0.07) < 0.12) & (z > 0.92) & (z < 1.1) & (np.abs(head.points[:, 0]) > 0.4)
    )
    temple = float(np.abs(p[at_temples, 0]).max()) + 0.03
    for side, eye in zip((-1.0, 1.0), eyes, strict=True):
        x = eye[0] + side * 0.02 + half_w * cx
        y = eye[1] - 0.015 + half_h * cy
        z = eye[2] + 0.335 - 0.32 * (x * side - 0.05).clip(0) ** 2
        rim = np.stack([x, y, z], 1)
        rims.append(rim)
        frames.append(tube(rim, radius_, FRAME, closed=True))
        centre = rim.mean(axis=0, keepdims=True)
        points = np.concatenate([centre, rim])
        k = np.arange(28)
        fan = np.stack([np.zeros(28, int), 1 + k, 1 + (k + 1) % 28], 1)
        local = np.concatenate([[[0.0, 0.0, 0.0]], np.stack([cx, cy, 0 * cx], 1)])
        lenses.append(Mesh(points, fan, local, LENS))
        outer = np.array([eye[0] + side * (half_w + 0.02), eye[1] + 0.05, rim[np.argmax(rim[:, 0] * side), 2]])
        hinge = np.array([side * temple, eye[1] + 0.07, 1.02])
        ear = np.array([side * (temple + 0.06), eye[1] + 0.045, 0.42])
        frames.append(
            tube(
                np.stack([outer, 0.4 * outer + 0.6 * hinge + [side * 0.03, 0, 0.06], hinge, ear]),
                radius_,
                FRAME,
                closed=False,
            )
        )
    inner = [rim[np.argmin(rim[:, 0] * side)] for side, rim in zip((-1.0, 1.0), rims, strict=True)]
    s = np.linspace(0, 1, 6)[:, None]
    bridge = inner[0] * (1 - s) + inner[1] * s + np.array([0, 0.05, 0.03]) * (1 - (2 * s - 1) ** 2)
    frames.append(tube(bridge, radius_, FRAME, closed=False))
    return [join(frames), join(lenses)]


def hat_rim(spec: FaceSpec) -> float:
    """Return the height of the hat's rim above the forehead, on the shared head in decimetres."""
    return 7.74 + 0.07 * float(stream(spec.seed, "hat").random())


def hat(grid: Array, spec: FaceSpec) -> list[Mesh]:
    """Build a knitted cap, a cap with a visor, or a hat with a brim, fitted to the skull ``grid``."""
    rng = stream(spec.seed, "hat")
    rim, kind, tall, brim = rng.random(4)
    rim = 7.74 + 0.07 * rim
    rows, columns = 14, 36
    azimuth = np.arange(columns) * 2 * np.pi / columns - np.pi  # 0 in front; the pattern's seam is behind
    low = np.arctan2(rim - MIDDLE[1], 0.9) - 0.30 * (0.5 - 0.5 * np.cos(azimuth))
    t = np.linspace(0, 1, rows)[:, None]
    elevation = low[None] * (1 - t) + (np.pi / 2 - 0.01) * t
    unit = np.stack([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], -1)
    far = np.array([[radius(grid, *unit[i, j]) for j in range(columns)] for i in range(rows)])
    loose = 0.10
    r = far + loose
    if kind < 0.36:  # knitted, with a turned-up edge
        r = r + 0.045 * (t < 0.20)
    points = MIDDLE + unit * r[..., None]
    if kind >= 0.36:
        points[..., 1] += (0.05 if kind < 0.7 else 0.10 + 0.16 * tall) * np.sin(np.pi / 2 * np.minimum(2.5 * t, 1))
    local = np.stack([np.broadcast_to(azimuth / 1.5, far.shape), np.broadcast_to(t, far.shape) * 1.2, 0 * far], -1)
    meshes = [Mesh(points.reshape(-1, 3), grid_triangles(rows, columns, closed=True), local.reshape(-1, 3), HAT)]
    if kind >= 0.36:
        edge = points[0]
        if kind < 0.7:  # a visor in front
            reach = (0.42 + 0.1 * brim) * np.clip(np.cos(azimuth), 0, 1) ** 0.6
        else:
            reach = np.full(columns, 0.26 + 0.2 * brim)
        outward = np.stack([np.sin(azimuth), np.full(columns, -0.16 if kind < 0.7 else 0.05), np.cos(azimuth)], 1)
        rings = np.stack([edge + outward * reach[:, None] * s for s in np.linspace(0, 1, 4)])
        both = np.concatenate([rings, rings[::-1] - np.array([0, 0.02, 0])])  # upper and lower side
        uv = np.stack(
            [np.broadcast_to(azimuth / 1.5, both.shape[:2]), np.full(both.shape[:2], 0.05), 0 * both[..., 0]], -1
        )
        meshes.append(
            Mesh(both.reshape(-1, 3), grid_triangles(len(both), columns, closed=True), uv.reshape(-1, 3), HAT)
        )
    return [join(meshes)]


@cache
def _lobes() -> tuple[int, int]:
    """Return the lowest vertex of each earlobe."""
    p = load().points
    ear = (np.abs(p[:, 0]) > 0.70) & (p[:, 1] > 6.78) & (p[:, 1] < 7.0) & (p[:, 2] < 0.62)
    return tuple(int(np.argmin(np.where(ear & (p[:, 0] * s > 0), p[:, 1], 99))) for s in (-1, 1))  # type: ignore[return-value]


def earrings(points: Array, spec: FaceSpec) -> list[Mesh]:
    """Build hoops, drops or pearls at the earlobes of a mesh."""
    rng = stream(spec.seed, "earrings")
    kind, big = rng.random(2)
    meshes = []
    for side, lobe in zip((-1.0, 1.0), _lobes(), strict=True):
        at = points[lobe] + np.array([side * 0.025, 0.015, 0.02])
        if kind < 0.45:
            size = 0.13 + 0.08 * big
            t = np.arange(16) * 2 * np.pi / 16
            ring = np.stack([0.35 * size * np.sin(t) * side, -size + size * np.cos(t), size * np.sin(t) * 0.9], 1)
            ring[:, 0] += side * 0.25 * size * (1 - np.cos(t))
            meshes.append(tube(at + ring, 0.029, EARRING, closed=True))
        elif kind < 0.75:
            drop = 0.11 + 0.08 * big
            meshes.append(tube(np.stack([at, at - [0, drop, 0]]), 0.014, EARRING, closed=False))
            meshes.append(ball(at - [0, drop + 0.05, 0], np.array([0.075, 0.105, 0.075]), EARRING))
        else:
            meshes.append(ball(at - [0, 0.02, 0], np.full(3, 0.085 + 0.025 * big), EARRING))
    return [join(meshes)]


@cache
def _ring(height: float, count: int, front: bool) -> tuple[Array, Array]:
    """Intersect the skin with rays from the axis of the neck, in a plane that slopes down towards the front.

    Args:
        height: Height of the plane at the axis, in decimetres.
        count: Number of rays around the neck.
        front: Cast a single ray straight ahead instead.

    Returns:
        (N, 3) vertices of the triangles that are hit, and (N, 3) barycentric weights.
    """
    head = load()
    skin = head.triangles[head.surface == 0]
    corners = head.points[skin].astype(np.float64)
    near = (corners[..., 1].max(axis=1) > height - 1.0) & (corners[..., 1].min(axis=1) < height + 0.6)
    ids, corners = np.flatnonzero(near), corners[near]
    angles = np.zeros(1) if front else (np.arange(count) + 0.5) * 2 * np.pi / count - np.pi
    origin = np.array([0.001, height, 0.1])
    corner_ids, weights = [], []
    for angle in angles:
        ray = np.array([np.sin(angle), -0.42 * np.cos(angle), np.cos(angle)])
        e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        p = np.cross(ray, e2)
        det = (e1 * p).sum(axis=1)
        det = np.where(np.abs(det) < 1e-12, 1e-12, det)
        s = origin - corners[:, 0]
        u = (s * p).sum(axis=1) / det
        q = np.cross(s, e1)
        v, t = (q @ ray) / det, (q * e2).sum(axis=1) / det
        hit = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (t > 0.05)
        if hit.any():
            k = int(np.argmin(np.where(hit, t, 99)))
            corner_ids.append(skin[ids[k]])
            weights.append([1 - u[k] - v[k], u[k], v[k]])
    return np.array(corner_ids), np.array(weights)


def on_neck(points: Array, normals: Array, height: float, count: int = 48, lift: float = 0.02) -> Array:
    """Return (N, 3) points around the neck of a mesh, lifted off the skin by ``lift`` decimetres."""
    at, weights = _ring(height, count, count == 1)
    w = weights[..., None]
    return np.asarray((points[at] * w).sum(axis=1) + lift * (normals[at] * w).sum(axis=1))


def necklace(points: Array, normals: Array, spec: FaceSpec) -> list[Mesh]:
    """Build a chain with a pendant, or a string of beads."""
    rng = stream(spec.seed, "necklace")
    kind, low, size = rng.random(3)
    path = on_neck(points, normals, round(6.30 - 0.06 * round(2 * low), 3), 48, 0.025)
    if kind < 0.5:
        k = np.arange(len(path))
        return [join([ball(path[i], np.full(3, 0.042 + 0.018 * size), NECKLACE, body=True) for i in k])]
    meshes = [tube(path, 0.026, NECKLACE, closed=True, body=True)]
    front = path[len(path) // 2]
    meshes.append(ball(front + np.array([0, -0.075, 0.035]), np.array([0.06, 0.08, 0.035]), NECKLACE, body=True))
    return [join(meshes)]


def necktie(points: Array, normals: Array, spec: FaceSpec) -> list[Mesh]:
    """Build a tie: its knot, the visible part of its blade, and the collar."""
    rng = stream(spec.seed, "necktie")
    fat = 0.9 + 0.3 * rng.random()
    heights = [6.25, 6.20, 6.11, 6.02, 5.99, 5.88, 5.76, 5.58, 5.40]
    half = np.array([0.14, 0.170, 0.150, 0.090, 0.085, 0.10, 0.12, 0.14, 0.16]) * fat
    bulge = np.array([0.04, 0.085, 0.085, 0.06, 0.03, 0.03, 0.03, 0.03, 0.03])
    spine = np.concatenate([on_neck(points, normals, h, 1, 0.04) for h in heights])
    across = np.linspace(-1, 1, 7)
    rows = spine[:, None] + half[:, None, None] * across[None, :, None] * np.array([1.0, 0, 0])
    rows[..., 2] += bulge[:, None] * (1 - across**2) + 0.03
    local = np.stack(
        np.broadcast_arrays(half[:, None] * across * 2, np.array(heights)[:, None] * 1.5, 0 * rows[..., 0]), -1
    )
    local[..., 1] += local[..., 0] * 0.8  # diagonal stripes
    tie = Mesh(rows.reshape(-1, 3), grid_triangles(len(rows), 7, closed=False), local.reshape(-1, 3), TIE, body=True)
    return [tie, *_collar(points, normals)]


def _collar(points: Array, normals: Array) -> list[Mesh]:
    """Build a turned-down collar: a band around the neck, open in front and pointed at the opening."""
    upper, lower = on_neck(points, normals, 6.36, 48, 0.03), on_neck(points, normals, 6.20, 48, 0.075)
    n = min(len(upper), len(lower))
    rows = np.stack([upper[:n], 0.5 * (upper[:n] + lower[:n]) + np.array([0, 0.02, 0.0]), lower[:n]])  # (3, n, 3)
    half = n // 2
    near = np.exp(-(((np.arange(n) - half + 0.5) / 4.5) ** 2))[:, None]
    rows[2] += near * np.array([0, -0.13, 0.02])
    wings = []
    for part in (slice(0, half - 1), slice(half + 1, n)):
        side = rows[:, part]
        local = np.ascontiguousarray(side.reshape(-1, 3))
        wings.append(Mesh(local, grid_triangles(3, side.shape[1], closed=False), local.copy(), COLLAR, body=True))
    return [join(wings)]
