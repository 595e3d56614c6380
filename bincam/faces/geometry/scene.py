"""The scene of one photograph: all triangles of head and accessories, in the viewer's frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.geometry import accessories
from bincam.faces.geometry.head import Head, normals
from bincam.faces.geometry.material_ids import EYE
from bincam.faces.geometry.pose import Pose, stiffness
from bincam.faces.labels.spec import FaceSpec

Array = NDArray[Any]


@dataclass(frozen=True)
class Scene:
    """T triangles of V vertices.

    Attributes:
        xyz: (V, 3), x and y on the grid of two samples per pixel, z in the viewer's frame.
        index: (T, 3) vertices of each triangle.
        position: (V, 3) in the viewer's frame, in decimetres.
        normal: (V, 3) in the viewer's frame.
        local: (V, 3) coordinates for paint and patterns.
        ambient: (V,) fraction of ambient light that reaches each vertex.
        material: (T,) numbers of :mod:`bincam.faces.geometry.material_ids`.
        bias: (T,) added to z, so that an eye stays behind its lids.
    """

    xyz: Array
    index: Array
    position: Array
    normal: Array
    local: Array
    ambient: Array
    material: Array
    bias: Array


def worn(
    head: Head, person: Array, points: Array, outward: Array, grid: Array, spec: FaceSpec
) -> list[accessories.Mesh]:
    """Build the meshes of all accessories of a face, lenses last.

    Args:
        head: The shared head.
        person: (V, 3), the mesh of the person alone.
        points: (V, 3), the mesh of the face.
        outward: (V, 3), its normals.
        grid: Its :func:`bincam.faces.geometry.skull.skull`.
        spec: The face.
    """
    meshes: list[accessories.Mesh] = []
    if spec["Wearing_Hat"]:
        meshes += accessories.hat(grid, spec)
    if spec["Wearing_Earrings"]:
        meshes += accessories.earrings(points, spec)
    if spec["Wearing_Necklace"]:
        meshes += accessories.necklace(points, outward, spec)
    if spec["Wearing_Necktie"]:
        meshes += accessories.necktie(points, outward, spec)
    if spec["Eyeglasses"]:
        meshes += accessories.glasses(head, person, spec)
    return meshes


def assemble(head: Head, points: Array, outward: Array, worn: list[accessories.Mesh], pose: Pose) -> Scene:
    """Join the mesh of a face (V, 3), its normals and its accessories to one scene."""
    stiff = stiffness(head.points)
    position = [pose.place(points, stiff)]
    normal = [pose.turn(outward, stiff)]
    local, ambient, index = [head.points], [head.occlusion], [head.triangles]
    material = [head.surface.astype(np.int64)]
    start = len(points)
    for mesh in worn:
        n = len(mesh.points)
        # an accessory on the body moves as the body does there
        stiff = stiffness(mesh.points) if mesh.body else np.ones(n, np.float32)
        p = mesh.points.astype(np.float32)
        position.append(pose.place(p, stiff))
        normal.append(pose.turn(normals(p, mesh.triangles.astype(np.int32)), stiff))
        local.append(mesh.local.astype(np.float32))
        ambient.append(np.full(n, 0.85, np.float32))
        index.append((mesh.triangles + start).astype(np.int32))
        material.append(np.full(len(mesh.triangles), mesh.material, np.int64))
        start += n
    placed = np.concatenate(position)
    materials = np.concatenate(material)
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
        material=materials,
        bias=np.where(materials == EYE, -0.02, 0.0).astype(np.float32),
    )


def box(head: Head, scene: Scene, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return x, y, width, height of the head in an image of size (W, H), in pixels."""
    above = (head.points[:, 1] > 6.15) & (head.points[:, 2] > 0.2)
    flat = scene.xyz[: len(head.points)][above, :2] / 2
    low, high = flat.min(axis=0).clip(0), np.minimum(flat.max(axis=0), size)
    x, y, w, h = (float(v) for v in (*low, *(high - low)))
    return x, y, w, h
