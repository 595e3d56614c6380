"""The shape of one face: the morph weights of the person, the attributes and the expression."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.head import Head, load
from bincam.faces.labels.intensity import amount
from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]

# Pairs of opposite targets (stem, low, high) and the standard deviation of their weight among people.
VARIED: tuple[tuple[str, str, str, float], ...] = (
    ("head-scale-horiz", "decr", "incr", 0.35),
    ("head-scale-vert", "decr", "incr", 0.20),
    ("head-scale-depth", "decr", "incr", 0.3),
    ("head-back-scale-depth", "decr", "incr", 0.3),
    ("forehead-scale-vert", "decr", "incr", 0.22),
    ("forehead-temple", "decr", "incr", 0.4),
    ("forehead-nubian", "decr", "incr", 0.4),
    ("nose-hump", "decr", "incr", 0.35),
    ("nose-curve", "concave", "convex", 0.35),
    ("nose-greek", "decr", "incr", 0.3),
    ("nose-base", "down", "up", 0.4),
    ("nose-trans", "down", "up", 0.25),
    ("nose-width1", "decr", "incr", 0.2),
    ("nose-flaring", "decr", "incr", 0.2),
    ("mouth-scale-horiz", "decr", "incr", 0.35),
    ("mouth-trans", "down", "up", 0.25),
    ("mouth-cupidsbow", "decr", "incr", 0.5),
    ("mouth-lowerlip-width", "decr", "incr", 0.4),
    ("mouth-philtrum-volume", "decr", "incr", 0.5),
    ("mouth-angles", "down", "up", 0.25),
    ("chin-bones", "decr", "incr", 0.4),
    ("chin-cleft", "decr", "incr", 0.4),
    ("chin-height", "decr", "incr", 0.35),
    ("chin-prominent", "decr", "incr", 0.35),
    ("chin-prognathism", "decr", "incr", 0.25),
    ("chin-jaw-drop", "decr", "incr", 0.3),
    ("cheek-inner", "decr", "incr", 0.4),
    ("eye-corner1", "down", "up", 0.5),
    ("eye-corner2", "down", "up", 0.4),
    ("eye-eyefold-angle", "down", "up", 0.5),
    ("eye-push1", "in", "out", 0.3),
    ("eye-scale", "decr", "incr", 0.18),
    ("eye-trans", "in", "out", 0.35),
    ("ear-scale", "decr", "incr", 0.4),
    ("ear-wing", "decr", "incr", 0.5),
    ("ear-lobe", "decr", "incr", 0.5),
    ("ear-rot", "backward", "forward", 0.4),
    ("neck-scale-horiz", "decr", "incr", 0.35),
    ("eyebrows-trans", "down", "up", 0.3),
    ("head-angle", "in", "out", 0.3),
)

# The weights that an attribute adds if it is true, and if it is false: two poles, and every face is near one of them.
POLES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "Male": (
        {"male": 1.15, "neck-scale-horiz-incr": 0.5, "chin-width-incr": 0.25, "chin-bones-incr": 0.2},
        {"male": -1.25, "neck-scale-horiz-decr": 0.5, "chin-width-decr": 0.65, "chin-bones-decr": 0.6},
    ),
    "Young": ({}, {"old": 0.75, "head-age-incr": 0.25, "ear-scale-incr": 0.3}),
    "Oval_Face": (
        {"head-oval": 1.2, "chin-width-decr": 0.9, "chin-height-incr": 0.35, "cheek-volume-decr": 0.4},
        {"head-square": 0.35, "chin-width-incr": 0.35, "chin-bones-incr": 0.4},
    ),
    "Chubby": (
        {"head-fat-incr": 1.0, "cheek-volume-incr": 1.3, "neck-scale-horiz-incr": 0.4, "cheek-inner-incr": 0.4},
        {"head-fat-decr": 0.1},
    ),
    "Double_Chin": ({"neck-double-incr": 2.4}, {"neck-double-decr": 0.6}),
    "High_Cheekbones": (
        {"cheek-bones-incr": 0.8, "cheek-trans-up": 0.4, "cheek-inner-decr": 0.4},
        {"cheek-bones-decr": 0.5, "cheek-trans-down": 0.2},
    ),
    "Bags_Under_Eyes": ({"eye-bag-incr": 1.0, "eye-bag-out": 0.9}, {"eye-bag-decr": 0.4}),
    "Narrow_Eyes": (
        {"eyeSquint": 0.42, "eye-height2-decr": 0.75, "eye-height1-decr": 0.5, "eye-height3-decr": 0.5},
        {"eye-height2-incr": 0.4, "eye-height1-incr": 0.15, "eyeWide": 0.15},
    ),
    "Big_Nose": (
        {
            "nose-volume-incr": 0.4, "nose-nostrils-width-incr": 0.5, "nose-width3-incr": 0.3,
            "nose-scale-vert-incr": 0.2,
        },
        {"nose-volume-decr": 0.35},
    ),
    "Pointy_Nose": (
        {
            "nose-point-width-decr": 1.0, "nose-width3-decr": 0.5, "nose-scale-depth-incr": 0.9,
            "nose-nostrils-width-decr": 0.5,
        },
        {"nose-point-width-incr": 0.6, "nose-scale-depth-decr": 0.2},
    ),
    "Big_Lips": (
        {"mouth-upperlip-volume-incr": 0.8, "mouth-lowerlip-volume-incr": 0.7, "mouth-upperlip-height-incr": 0.5,
         "mouth-lowerlip-height-incr": 0.4},
        {"mouth-upperlip-volume-decr": 0.6, "mouth-lowerlip-volume-decr": 0.6, "mouth-upperlip-height-decr": 0.4,
         "mouth-lowerlip-height-decr": 0.3},
    ),
    "Smiling": (
        {"mouthSmile": 0.85, "cheekSquint": 0.5, "mouthDimple": 0.3, "mouthUpperUp": 0.12, "eyeSquint": 0.15},
        {},
    ),
    "Mouth_Slightly_Open": ({"jawOpen": 0.27, "mouthLowerDown": 0.35, "mouthUpperUp": 0.25}, {}),
}  # fmt: skip

GLOBAL = ("Male", "Young")

# Local growth: attribute -> (centre, radii, scale if true, scale if false), on the shared head.
GROWN: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    "Big_Nose": ((0, 6.93, 1.38), (0.18, 0.16, 0.33), (1.44, 1.15, 1.15), (0.84, 0.95, 0.93)),
    "Pointy_Nose": ((0, 6.92, 1.45), (0.14, 0.13, 0.25), (0.72, 1.05, 1.30), (1.06, 1.0, 0.96)),
    "Big_Lips": ((0, 6.60, 1.40), (0.24, 0.11, 0.30), (1.05, 1.25, 1.10), (0.97, 0.78, 0.95)),
}


def expression(spec: FaceSpec) -> dict[str, float]:
    """Draw the weights of the slight expression of every photograph, besides smiling and opening the mouth."""
    rng = stream(spec.seed, "expression")
    brow, frown, press, blink, side = rng.normal(size=5)
    return {
        "browInnerUp": 0.10 * max(brow, 0),
        "browDown": 0.12 * max(-brow, 0),
        "mouthFrown": 0.12 * max(frown, 0),
        "mouthPress": 0.12 * max(press, 0),
        "eyeBlink": 0.05 * max(blink, 0),
        "mouthShrugLower": 0.08 * max(side, 0),
    }


def person_weights(spec: FaceSpec) -> dict[str, float]:
    """Draw the weights of the person alone, on which alignment and camera may depend."""
    rng = stream(spec.identity, "shape")
    mixture = rng.dirichlet([0.7, 0.7, 0.9])
    spread = rng.normal(size=len(VARIED)).clip(-1.9, 1.9)
    weights = {
        "african": 0.9 * (mixture[0] - 1 / 3), "asian": 0.9 * (mixture[1] - 1 / 3),
        "caucasian": 0.9 * (mixture[2] - 1 / 3),
    }  # fmt: skip
    for (stem, low, high, varies), value in zip(VARIED, spread, strict=True):
        name = f"{stem}-{high if value > 0 else low}"
        weights[name] = weights.get(name, 0.0) + varies * abs(value)
    return weights


def shape(head: Head, spec: FaceSpec, whole: bool = True) -> Array:
    """Build the mesh (V, 3) of a face, upright and looking ahead.

    Args:
        head: The shared head.
        spec: The face.
        whole: Include attributes and expression; otherwise only the person.
    """
    weights = head.weights(person_weights(spec))
    if not whole:
        return head.morph(weights)
    weights += head.weights(expression(spec))
    for attribute in GLOBAL:
        weights += _between(attribute, amount(spec, attribute))
    points = head.morph(weights)
    for attribute, window in windows().items():
        head.move(points, _between(attribute, amount(spec, attribute)), window)
    for attribute, (centre, radii, yes_scale, no_scale) in GROWN.items():
        intensity = amount(spec, attribute)
        scale = intensity * np.array(yes_scale) + (1 - intensity) * np.array(no_scale)
        _grow(points, head.points, np.array(centre), np.array(radii), scale)
    return points


def _between(attribute: str, intensity: float) -> Array:
    """Interpolate (targets,) weights between the poles of an attribute."""
    yes, no = _poles(attribute)
    return np.asarray(np.float32(intensity) * yes + np.float32(1 - intensity) * no)


@cache
def _poles(attribute: str) -> tuple[Array, Array]:
    """Return the (targets,) weights of an attribute where it is true, and where it is false."""
    yes, no = POLES[attribute]
    return load().weights(yes), load().weights(no)


@cache
def windows() -> dict[str, Array]:
    """Return, for every local attribute, the factor (V,) by which its morph applies to each vertex.

    MakeHuman's targets move the whole head slightly; outside its window an attribute moves nothing.
    """
    x, y, z = np.abs(load().points.T)
    z = load().points[:, 2]

    def step(low: float, high: float, v: Array) -> Array:
        t = ((v - low) / (high - low)).clip(0, 1)
        return np.asarray(t * t * (3 - 2 * t), np.float32)

    front = step(0.15, 0.55, z)
    ear = (x > 0.685) & (y > 6.76) & (z < 0.66)
    lower = step(7.10, 6.80, y) * front * step(6.02, 6.20, y) * ~ear
    return {
        "Oval_Face": lower,
        "Chubby": step(7.28, 6.95, y) * front * step(5.95, 6.2, y),
        "Double_Chin": step(6.5, 6.3, y) * step(5.75, 5.95, y),
        "High_Cheekbones": step(7.28, 7.16, y) * step(6.5, 6.7, y) * front,
        "Bags_Under_Eyes": step(7.26, 7.22, y) * step(7.0, 7.06, y) * step(0.1, 0.16, x) * step(0.52, 0.44, x) * front,
        "Narrow_Eyes": step(7.48, 7.38, y) * step(7.06, 7.14, y) * step(0.08, 0.14, x) * step(0.58, 0.48, x) * front,
        "Big_Nose": step(0.25, 0.18, x) * step(6.70, 6.80, y) * step(7.35, 7.22, y) * front,
        "Pointy_Nose": step(0.25, 0.18, x) * step(6.70, 6.80, y) * step(7.35, 7.22, y) * front,
        "Big_Lips": step(0.31, 0.24, x) * step(6.40, 6.48, y) * step(6.80, 6.73, y) * front,
        "Smiling": step(7.5, 7.4, y) * step(6.0, 6.25, y) * front,
        "Mouth_Slightly_Open": step(7.2, 7.0, y) * step(6.0, 6.2, y),
    }


def frame(head: Head, spec: FaceSpec) -> Array:
    """Build the mesh (V, 3) to which hair and hats are fitted: the person with their age and sex only."""
    weights = head.weights(person_weights(spec))
    for attribute in GLOBAL:
        yes, no = POLES[attribute]
        weights += head.weights(yes if spec[attribute] else no)
    return head.morph(weights)


@njit(cache=True)
def _grow(points: Array, place: Array, centre: Array, radii: Array, scale: Array) -> None:
    """Scale the surroundings of a centre on the shared head about the present position of that centre."""
    total, cx, cy, cz = 0.0, 0.0, 0.0, 0.0
    window = np.zeros(len(points))
    for v in range(len(points)):
        e = 0.0
        for c in range(3):
            e += ((place[v, c] - centre[c]) / radii[c]) ** 2
        if e < 9:
            window[v] = np.exp(-e * e * 0.5) if e < 1 else np.exp(-1.5 * e + 1)
            total += window[v]
            cx += window[v] * points[v, 0]
            cy += window[v] * points[v, 1]
            cz += window[v] * points[v, 2]
    cx, cy, cz = cx / total, cy / total, cz / total
    for v in range(len(points)):
        f = window[v]
        if f > 0.002:
            points[v, 0] += f * (scale[0] - 1) * (points[v, 0] - cx)
            points[v, 1] += f * (scale[1] - 1) * (points[v, 1] - cy)
            points[v, 2] += f * (scale[2] - 1) * (points[v, 2] - cz)
