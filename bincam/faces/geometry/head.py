"""The head that all faces share: its mesh, morph targets and follicles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.errors import InputError, nearest

Array = NDArray[Any]
ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Follicles:
    """N places on the mesh from which hair of one kind can grow.

    Attributes:
        triangle: (N,) indices into the head's triangles.
        weights: (N, 3) barycentric weights.
        place: (N, 3) in the coordinates of the shared head, which decide whether a hair grows there.
    """

    triangle: Array
    weights: Array
    place: Array


@dataclass(frozen=True)
class Head:
    """The shared head in decimetres: x to the image's right, y up, z towards the viewer.

    Attributes:
        points: (V, 3) float32, the mean of men and women of three populations. Paint and masks are defined in these
            coordinates, whatever shape a face then takes.
        triangles: (T, 3) int32.
        surface: (T,) uint8: 0 skin, 1 eye, 2 teeth, 3 tongue.
        occlusion: (V,) float32, the fraction of ambient light that reaches each vertex.
        eyes: (2, E) vertices of the eyeballs, that on the left of the image first.
        names: The column of each morph target.
        start, vertex, delta: Target i moves vertex[start[i]:start[i+1]] by the same rows of delta, (., 3).
        follicles: By kind: scalp, brow, beard.
    """

    points: Array
    triangles: Array
    surface: Array
    occlusion: Array
    eyes: Array
    names: dict[str, int]
    start: Array
    vertex: Array
    delta: Array
    follicles: dict[str, Follicles]

    def weights(self, by_name: Mapping[str, float]) -> Array:
        """Convert weights by name to a (targets,) float32 array.

        Raises:
            InputError: A name is not a target.
        """
        result = np.zeros(len(self.names), np.float32)
        for name, value in by_name.items():
            if name not in self.names:
                raise InputError(f"unknown morph target {name!r}{nearest(name, self.names)}")
            result[self.names[name]] += value
        return result

    def morph(self, weights: Array) -> Array:
        """Return (V, 3) float32, the shared head with the targets applied by their weights."""
        points = self.points.copy()
        _morph(points, weights, np.ones(len(points), np.float32), self.start, self.vertex, self.delta)
        return points

    def move(self, points: Array, weights: Array, window: Array) -> None:
        """Apply the targets to a mesh in place, scaled at each vertex by ``window`` (V,)."""
        _morph(points, weights, window, self.start, self.vertex, self.delta)


@cache
def load() -> Head:
    """Read the packaged asset, once per process."""
    with np.load(ASSETS / "head.npz", allow_pickle=False) as file:
        a = dict(file)
    points, triangles = a["points"], a["triangles"].astype(np.int32)
    scale = np.repeat(a["target_scale"], np.diff(a["target_start"]))
    follicles = {}
    for kind in ("scalp", "brow", "beard"):
        at = a[f"{kind}_triangle"].astype(np.int32)
        weights = a[f"{kind}_weights"].astype(np.float32)
        weights /= weights.sum(axis=1, keepdims=True)
        follicles[kind] = Follicles(at, weights, (points[triangles[at]] * weights[..., None]).sum(axis=1))
    return Head(
        points=points,
        triangles=triangles,
        surface=a["surface"],
        occlusion=a["occlusion"].astype(np.float32) / 255,
        eyes=a["eyes"],
        names={str(name): i for i, name in enumerate(a["target_names"])},
        start=a["target_start"],
        vertex=a["target_vertex"].astype(np.int32),
        delta=a["target_delta"].astype(np.float32) * scale[:, None],
        follicles=follicles,
    )


@njit(cache=True)
def _morph(points: Array, weights: Array, window: Array, start: Array, vertex: Array, delta: Array) -> None:
    for i in range(len(weights)):
        if weights[i] != 0:
            for k in range(start[i], start[i + 1]):
                v = vertex[k]
                w = weights[i] * window[v]
                points[v, 0] += w * delta[k, 0]
                points[v, 1] += w * delta[k, 1]
                points[v, 2] += w * delta[k, 2]


@njit(cache=True)
def attach(values: Array, triangles: Array, follicles: Array, weights: Array) -> Array:
    """Interpolate values (V, 3) of a mesh at triangles (N,) with barycentric weights (N, 3), to (N, 3) float32."""
    out = np.empty((len(follicles), 3), np.float32)
    for n in range(len(follicles)):
        i, j, k = triangles[follicles[n]]
        for c in range(3):
            out[n, c] = weights[n, 0] * values[i, c] + weights[n, 1] * values[j, c] + weights[n, 2] * values[k, c]
    return out


@njit(cache=True)
def normals(points: Array, triangles: Array) -> Array:
    """Compute (V, 3) float32 unit normals, each the area-weighted mean of the adjacent triangles'."""
    out = np.zeros_like(points)
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        ax, ay, az = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
        bx, by, bz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(len(out)):
        norm = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + np.float32(1e-12)
        out[v, 0] /= norm
        out[v, 1] /= norm
        out[v, 2] /= norm
    return out
