"""The pose of the head in the image: rotation, perspective, alignment, landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.head import Head, load
from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]

SIZE = (178, 218)
# CelebA's mean landmarks at 178 x 218, in its order: eyes, nose, corners of the mouth, the left of the image first.
MEAN = np.array([[69.5, 111.3], [107.7, 111.3], [88.0, 135.0], [71.0, 152.0], [105.0, 152.0]])
PIVOT = np.array([0.0, 6.55, 0.25], np.float32)  # the head rotates about the top of the neck


@dataclass(frozen=True)
class Pose:
    """The transformation from the mesh to the viewer's frame, and from there to the image.

    Attributes:
        head: (3, 3) rotation of the head.
        body: (3, 3) rotation of the shoulders.
        distance: From the camera to the pivot, in decimetres.
        matrix: (2, 2), from perspective coordinates to pixels, y down.
        shift: (2,), added after ``matrix``, in pixels.
    """

    head: Array
    body: Array
    distance: float
    matrix: Array
    shift: Array

    def place(self, points: Array, stiff: Array) -> Array:
        """Transform (N, 3) points to the viewer's frame; stiff (N,) is 1 for the head and 0 for the shoulders."""
        return _blend(points, PIVOT, stiff, self.head, self.body)

    def turn(self, vectors: Array, stiff: Array) -> Array:
        """Rotate (N, 3) directions to the viewer's frame."""
        return _blend(vectors, np.zeros(3, np.float32), stiff, self.head, self.body)

    def view(self, points: Array) -> tuple[Array, Array]:
        """Transform (N, 3) points of the head to the viewer's frame and to the grid of two samples per pixel."""
        matrix, shift = (2 * self.matrix).astype(np.float32), (2 * self.shift).astype(np.float32)
        return _view(points, self.head, PIVOT, float(self.distance), matrix, shift)

    def project(self, placed: Array) -> Array:
        """Project points (..., 3) in the viewer's frame to pixels (..., 2)."""
        x, y = np.moveaxis(placed[..., :2] * (self.distance / (self.distance - placed[..., 2:3])), -1, 0)
        (a, b), (c, d) = self.matrix
        return np.stack([a * x + b * y + self.shift[0], c * x + d * y + self.shift[1]], -1).astype(np.float32)


@njit(cache=True)
def _blend(points: Array, pivot: Array, stiff: Array, head: Array, body: Array) -> Array:
    out = np.empty((len(points), 3), np.float32)
    for n in range(len(points)):
        x, y, z = points[n, 0] - pivot[0], points[n, 1] - pivot[1], points[n, 2] - pivot[2]
        s = stiff[n]
        for c in range(3):
            with_body = body[c, 0] * x + body[c, 1] * y + body[c, 2] * z
            with_head = head[c, 0] * x + head[c, 1] * y + head[c, 2] * z
            out[n, c] = with_body + s * (with_head - with_body)
    return out


@njit(cache=True)
def _view(
    points: Array, turn: Array, pivot: Array, distance: float, matrix: Array, shift: Array
) -> tuple[Array, Array]:
    placed, xyz = np.empty_like(points), np.empty_like(points)
    for n in range(len(points)):
        x, y, z = points[n, 0] - pivot[0], points[n, 1] - pivot[1], points[n, 2] - pivot[2]
        px = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
        py = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
        pz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
        placed[n, 0], placed[n, 1], placed[n, 2] = px, py, pz
        s = distance / (distance - pz)
        xyz[n, 0] = s * (matrix[0, 0] * px + matrix[0, 1] * py) + shift[0]
        xyz[n, 1] = s * (matrix[1, 0] * px + matrix[1, 1] * py) + shift[1]
        xyz[n, 2] = pz
    return placed, xyz


def stiffness(place: Array) -> Array:
    """Return (N,), how far places of the shared head rotate with it: 1 above the neck, 0 at the shoulders."""
    top = 6.35 - 0.35 * np.clip((place[:, 2] - 0.6) / 0.5, 0, 1)
    return np.asarray(np.clip((place[:, 1] - top + 0.55) / 0.5, 0, 1) ** 1.5, np.float32)


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Build a (3, 3) float32 rotation from radians.

    Positive angles look to the right of the image (yaw), look down (pitch), or tilt to the right (roll).
    """
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)


@cache
def _corners() -> tuple[int, int, int]:
    """Return the vertices of the tip of the nose and the corners of the mouth."""
    points = load().points
    skin = np.unique(load().triangles[load().surface == 0])
    p = points[skin]
    nose = skin[np.argmax(np.where((np.abs(p[:, 0]) < 0.02) & (p[:, 1] > 6.7) & (p[:, 1] < 7.1), p[:, 2], -9))]
    corners = [skin[np.argmin(((p - np.array([side * 0.222, 6.605, 1.34])) ** 2).sum(axis=1))] for side in (-1.0, 1.0)]
    return int(nose), int(corners[0]), int(corners[1])


def landmarks(head: Head, points: Array) -> Array:
    """Return (5, 3), the landmarks of a mesh in CelebA's order."""
    nose, left, right = _corners()
    eyes = points[head.eyes].mean(axis=1) + np.array([0, 0, 0.13], np.float32)
    return np.asarray(np.concatenate([eyes, points[[nose, left, right]]]), np.float32)


def aligned(head: Head, person: Array, spec: FaceSpec) -> Pose:
    """Draw the pose of one photograph, aligned as CelebA is; it depends on the seed and the person, on no attribute.

    Args:
        head: The shared head.
        person: (V, 3), the mesh of the person alone.
        spec: The face.
    """
    rng = stream(spec.seed, "pose")
    yaw, pitch, roll, body_yaw, body_roll = rng.normal(size=5).clip(-2.2, 2.2)
    profile, distance = rng.random(2)
    yaw = yaw * (0.17 if profile < 0.75 else 0.30)
    turned = Pose(
        head=rotation(yaw, 0.02 + 0.08 * pitch, 0.0),
        body=rotation(0.45 * yaw + 0.15 * body_yaw, 0.0, 0.03 * body_roll),
        distance=9 + 9 * distance,
        matrix=np.eye(2),
        shift=np.zeros(2),
    )
    placed = turned.place(landmarks(head, person), np.ones(5, np.float32))
    flat = turned.project(placed).astype(np.float64) * [1, -1]
    # the similarity transformation with the least squared distance to CelebA's mean landmarks
    source, target = flat - flat.mean(axis=0), MEAN - MEAN.mean(axis=0)
    a = (source * target).sum() / (source**2).sum()
    b = (source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum() / (source**2).sum()
    tilt = 0.035 * roll
    a, b = a * np.cos(tilt) - b * np.sin(tilt), a * np.sin(tilt) + b * np.cos(tilt)
    matrix = np.array([[a, -b], [b, a]])
    jitter = rng.normal(size=2).clip(-2, 2) * 0.7
    shift = MEAN.mean(axis=0) - flat.mean(axis=0) @ matrix.T + jitter
    return Pose(turned.head, turned.body, turned.distance, matrix @ np.diag([1.0, -1.0]), shift)


def scaled(pose: Pose, size: tuple[int, int]) -> Pose:
    """Return the same pose in an image of another size (W, H), with the aligned crop fitted in and centred."""
    k = min(size[0] / SIZE[0], size[1] / SIZE[1])
    middle = (np.array(size) - k * np.array(SIZE)) / 2
    return Pose(pose.head, pose.body, pose.distance, pose.matrix * k, pose.shift * k + middle)
