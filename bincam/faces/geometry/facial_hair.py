"""Facial hair: brows, beard, moustache, goatee, sideburns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.hair import Strands
from bincam.faces.geometry.head import Follicles, Head, attach
from bincam.faces.geometry.surface_regions import beard_area, brow_height, hash2, lips, smooth
from bincam.faces.labels.intensity import amount, shown
from bincam.faces.labels.parts import Part
from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]

_BROW, _BEARD, _MUSTACHE, _GOATEE, _SIDEBURNS = (
    int(p) for p in (Part.BROW, Part.BEARD, Part.MUSTACHE, Part.GOATEE, Part.SIDEBURNS)
)
KNOTS = 4


def brow_curve(spec: FaceSpec) -> tuple[float, float]:
    """Return the arch of the brows, about 0 to 1, and half their thickness in decimetres."""
    rng = stream(spec.identity, "brow")
    arch, thick = rng.random(2)
    half = (0.025 if spec["Male"] else 0.018) + 0.005 * thick
    half += (0.054 - half) * shown(spec, "Bushy_Eyebrows")
    return min(max(0.06 + 0.14 * (arch - 0.5) + 0.82 * amount(spec, "Arched_Eyebrows"), -0.15), 1.1), half


def brows(head: Head, points: Array, normals: Array, spec: FaceSpec, colour: Array) -> Strands:
    """Grow the eyebrows in a linear colour (3,)."""
    f = head.follicles["brow"]
    arch, half = brow_curve(spec)
    path, tint, label, kept = _brows(*_roots(head, f, points, normals), f.place, arch, half, spec["Bushy_Eyebrows"])
    return Strands(path[:kept], np.full(kept, 0.75, np.float32), tint[:kept], label[:kept], colour, 0.013, 0.2)


def beard(head: Head, points: Array, normals: Array, spec: FaceSpec, colour: Array) -> Strands | None:
    """Grow the beard, moustache, goatee and sideburns that a face has, in a linear colour (3,), or return None."""
    kinds = (not spec["No_Beard"], spec["Mustache"], spec["Goatee"], spec["Sideburns"])
    if not any(kinds):
        return None
    f = head.follicles["beard"]
    length = stream(spec.identity, "beard").uniform(0.8, 1.25)
    dense = 1 - min(shown(spec, "No_Beard"), 0.6)
    path, tint, label, kept = _beard(*_roots(head, f, points, normals), f.place, *kinds, length, dense)
    return Strands(path[:kept], np.full(kept, 0.8, np.float32), tint[:kept], label[:kept], colour, 0.012, 0.25)


def _roots(head: Head, f: Follicles, points: Array, normals: Array) -> tuple[Array, Array]:
    return (
        attach(points, head.triangles, f.triangle, f.weights),
        attach(normals, head.triangles, f.triangle, f.weights),
    )


@njit(cache=True)
def _lay(
    path: Array, k: int, root: Array, out: Array, dx: float, dy: float, dz: float, length: float, lift: float
) -> None:
    """Lay one hair along a direction projected onto the skin, rising from it towards the tip."""
    nx, ny, nz = out
    along = dx * nx + dy * ny + dz * nz
    dx, dy, dz = dx - along * nx, dy - along * ny, dz - along * nz
    n = 1 / np.sqrt(dx * dx + dy * dy + dz * dz + 1e-9)
    for j in range(KNOTS):
        t = j / (KNOTS - 1)
        up = 0.006 + lift * t - 0.3 * lift * t * t
        path[k, j, 0] = root[0] + length * t * dx * n + up * nx
        path[k, j, 1] = root[1] + length * t * dy * n + up * ny
        path[k, j, 2] = root[2] + length * t * dz * n + up * nz


@njit(cache=True)
def _brows(
    roots: Array, out: Array, place: Array, arch: float, half: float, bushy: bool
) -> tuple[Array, Array, Array, int]:
    n = len(roots)
    path = np.zeros((n, KNOTS, 3), np.float32)
    tint, label = np.zeros(n, np.float32), np.full(n, _BROW, np.int32)
    kept = 0
    for s in range(n):
        x, y = place[s, 0], place[s, 1]
        a = abs(x)
        r1, r2 = hash2(s, 901), hash2(s, 902)
        t = (a - 0.115) / 0.40
        if t < 0 or t > 1:
            continue
        width = half * smooth(-0.06, 0.14, t) * (1 - 0.62 * smooth(0.5, 1.0, t))
        off = (y - brow_height(a, arch)) / width
        if abs(off) > 0.85 + 0.3 * r1:
            continue
        side = 1.0 if x > 0 else -1.0
        ahead = (brow_height(a + 0.02, arch) - brow_height(a, arch)) / 0.02
        up = (0.75 if bushy else 0.45) * (1 - t) - 0.45 * off
        _lay(
            path,
            kept,
            roots[s],
            out[s],
            side,
            ahead + up,
            0.0,
            (0.085 if bushy else 0.060) * (0.7 + 0.6 * r2),
            0.024 if bushy else 0.008,
        )
        tint[kept] = 0.75 + 0.5 * r1
        kept += 1
    return path, tint, label, kept


@njit(cache=True)
def _beard(
    roots: Array,
    out: Array,
    place: Array,
    full: bool,
    mustache: bool,
    goatee: bool,
    sideburns: bool,
    scale: float,
    dense: float,
) -> tuple[Array, Array, Array, int]:
    n = len(roots)
    path = np.zeros((n, KNOTS, 3), np.float32)
    tint, label = np.zeros(n, np.float32), np.zeros(n, np.int32)
    kept = 0
    for s in range(n):
        x, y, z = place[s]
        a = abs(x)
        side = 1.0 if x > 0 else -1.0
        r1, r2, r3 = hash2(s, 911), hash2(s, 912), hash2(s, 913)
        if z > 1.1 and lips(x, y) > 0.1:
            continue
        if z < 1.30 and a < 0.24 and 6.4 < y < 6.75 and z > 0.6:
            continue  # inside the mouth
        edge = 0.10 * (r1 - 0.5)
        kind = 0
        if (
            mustache
            and a < 0.265 + 0.3 * edge
            and 6.66 - 0.55 * (a - 0.12) * (a > 0.12) < y < 6.835 - 0.35 * a + 0.2 * edge
            and z > 1.15
        ):
            kind = _MUSTACHE
        elif goatee and z > 0.95 and (
            (a < 0.19 + edge * 0.5 and y < 6.47 and y > 6.08) or (0.215 < a < 0.30 and 6.25 < y < 6.70)
        ):  # fmt: skip
            kind = _GOATEE
        elif sideburns and a > 0.52 and 6.72 + edge < y < 7.42 and 0.47 < z < 0.80 + 0.5 * edge:
            kind = _SIDEBURNS
        elif (
            full
            and hash2(s, 914) < dense
            and beard_area(x, y, z) > 0.25 + 0.7 * r1
            and y > 6.16 - 0.1 * r2 + 0.25 * smooth(1.0, 0.6, z)
        ):
            kind = _BEARD
        if kind == 0:
            continue
        dx, dy, dz = 0.25 * side * a + 0.25 * (r2 - 0.5), -1.0, 0.0
        length, lift = 0.07 * scale * dense, 0.03
        if kind == _MUSTACHE:
            dx, dy = side * (0.9 + 0.2 * r2) * smooth(-0.02, 0.08, a), -0.62
            length, lift = 0.15, 0.055
        elif kind == _GOATEE:
            dx, dy = -0.9 * x + 0.2 * (r2 - 0.5), -1.0
            length, lift = 0.16 * scale if a < 0.2 else 0.10, 0.055
        elif kind == _SIDEBURNS:
            dx, dz = 0.0, 0.25 * (r2 - 0.3)
            length, lift = 0.10, 0.035
        _lay(path, kept, roots[s], out[s], dx, dy, dz, length * (0.7 + 0.6 * r3), lift)
        tint[kept] = 0.65 + 0.6 * r2
        label[kept] = kind
        kept += 1
    return path, tint, label, kept
