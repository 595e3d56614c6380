"""All triangles of one photograph: the head and what is worn, in the viewer's frame and on the sample grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.geometry import accessories
from bincam.faces.geometry import pose as posing
from bincam.faces.geometry.head import Head, normals
from bincam.faces.labels.spec import FaceSpec

Array = NDArray[Any]


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


def worn(head: Head, who: Array, points: Array, out: Array, grid: Array, spec: FaceSpec) -> list[accessories.Mesh]:
    """The meshes of all that is worn; lenses last."""
    things: list[accessories.Mesh] = []
    if spec["Wearing_Hat"]:
        things += accessories.hat(grid, spec)
    if spec["Wearing_Earrings"]:
        things += accessories.earrings(points, spec)
    if spec["Wearing_Necklace"]:
        things += accessories.necklace(points, out, spec)
    if spec["Wearing_Necktie"]:
        things += accessories.necktie(points, out, spec)
    if spec["Eyeglasses"]:
        things += accessories.glasses(head, who, spec)
    return things


def assemble(head: Head, points: Array, out: Array, worn: list[accessories.Mesh], pose: posing.Pose) -> Scene:
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


def box(head: Head, scene: Scene, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """x, y, width, height of the head in the image."""
    above = (head.points[:, 1] > 6.15) & (head.points[:, 2] > 0.2)
    flat = scene.xyz[: len(head.points)][above, :2] / 2
    low, high = flat.min(axis=0).clip(0), np.minimum(flat.max(axis=0), size)
    x, y, w, h = (float(v) for v in (*low, *(high - low)))
    return x, y, w, h
