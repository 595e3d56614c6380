"""Scalp hair: strands grown from follicles over the skull in locks, combed, waved, cut and pressed by hats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.head import Head, attach
from bincam.faces.geometry.skull import MIDDLE, radius
from bincam.faces.geometry.surface_regions import hairline, hash2, is_ear, noise, smooth
from bincam.faces.labels.intensity import shown
from bincam.faces.labels.parts import Part
from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]

_HAIR, _BANGS = int(Part.HAIR), int(Part.BANGS)
# sRGB of the darkest and the lightest hair of each colour
COLOURS = {
    "Black_Hair": ((12, 11, 13), (38, 32, 30)),
    "Blond_Hair": ((172, 136, 84), (234, 208, 150)),
    "Brown_Hair": ((62, 41, 28), (126, 84, 54)),
    "Gray_Hair": ((118, 115, 113), (208, 208, 210)),
}
# Hair of none of the four colours: between black and brown, between brown and blond, auburn, red; and the cumulative
# probability at which each but the first begins.
BETWEEN = (
    ((32, 25, 22), (66, 45, 32)),
    ((122, 86, 56), (172, 134, 84)),
    ((84, 40, 28), (112, 62, 42)),
    ((122, 58, 36), (160, 88, 56)),
)
_BEGINS = (0.40, 0.75, 0.92)

BANGS = 1500  # largest number of strands of bangs


@dataclass(frozen=True)
class Strands:
    """Hair of one kind: S strands of K points.

    Attributes:
        points: (S, K, 3) on the upright head, in decimetres.
        layer: (S,) from 0, next to the skin, to 1, outermost.
        tint: (S,) relative brightness of each strand, about 1.
        label: (S,) int32, values of :class:`bincam.faces.labels.parts.Part`.
        colour: (3,) linear.
        width: Of a strand at its root, in decimetres.
        gloss: Strength of the highlight.
    """

    points: Array
    layer: Array
    tint: Array
    label: Array
    colour: Array
    width: float
    gloss: float


class Style(NamedTuple):
    """Cut and combing of hair; lengths in decimetres."""

    long: bool
    length: float
    volume: float
    parting: float
    wave: float
    frequency: float
    frizz: float
    tucked: bool
    rise: float
    temples: float
    roots: float  # fraction of the scalp that the roots cover
    bangs: bool
    bang_middle: float  # x of the middle of the bangs, and their reach to each side
    bang_reach: float
    bang_length: float
    hat: float  # height of the hat's rim in front, or 99
    phase: int
    back: float  # above 0.45, short hair is combed back, otherwise forward


def linear(srgb: Array) -> Array:
    """Convert sRGB values from 0 to 255 to linear light from 0 to 1."""
    s = np.asarray(srgb, np.float64) / 255
    return np.asarray(np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4))


def colour(spec: FaceSpec) -> Array:
    """Return (3,), the linear colour of the scalp hair."""
    shade, kind = stream(spec.identity, "hair colour").random(2)
    name = next((n for n in ("Gray_Hair", "Blond_Hair", "Brown_Hair", "Black_Hair") if spec[n]), None)
    ends = COLOURS[name] if name else BETWEEN[int(np.searchsorted(_BEGINS, kind))]
    dark, light = (np.array(c) for c in ends)
    return linear(dark * (1 - shade) + light * shade)


def style(spec: FaceSpec, rim: float) -> Style:
    """Draw the hair style of one photograph; ``rim`` is the height of the hat's rim, or 99 without a hat."""
    rng = stream(spec.seed, "hair")
    cut, length, volume, parting, wave, freq, tuck, line, temple, bang, back, crop, sweep, reach = rng.random(14)
    long = bool(cut > 0.93) if spec["Male"] else bool(cut > 0.12)
    wavy, straight = spec["Wavy_Hair"], spec["Straight_Hair"]
    receding = shown(spec, "Receding_Hairline")
    cropped = spec["Male"] and not long and crop < 0.18
    return Style(
        long=long,
        length=(0.95 + 1.3 * length) if long else 0.05 if cropped else 0.16 + 0.20 * length,
        volume=(0.10 if long else 0.05) * (0.7 + 0.8 * volume) * (1.7 if wavy else 0.55 if straight else 1.35),
        parting=0.0 if parting < 0.3 else (0.30 if parting < 0.65 else -0.30),
        wave=(0.075 + 0.03 * wave) * (1.0 if long else 0.55) if wavy else 0.0,
        frequency=(2.3 + 1.2 * freq),
        frizz=0.003 if straight else (0.02 if wavy else 0.07),
        tucked=bool(tuck < 0.7),
        rise=0.05 * (line - 0.5) + 0.13 * receding,
        temples=0.03 * temple + 0.26 * receding,
        roots=0.55 + 0.30 * crop / 0.18 if cropped else 0.93,
        bangs=spec["Bangs"],
        bang_middle=0.35 * (sweep - 0.5),
        bang_reach=0.22 + 0.45 * reach,
        bang_length=0.26 + 0.30 * bang,
        hat=rim,
        phase=int(spec.seed % 9973),
        back=back,
    )


def grow(head: Head, points: Array, normals: Array, grid: Array, spec: FaceSpec, how: Style) -> Strands | None:
    """Grow the scalp hair of one face.

    Args:
        head: The shared head.
        points: (V, 3), the mesh of the face, upright.
        normals: (V, 3), its normals.
        grid: Its :func:`bincam.faces.geometry.skull.skull`.
        spec: The face.
        how: Its hair style.

    Returns:
        The strands, or None on a bald head.
    """
    if spec["Bald"]:
        return None
    f = head.follicles["scalp"]
    count = 4000 if how.long else 4600
    knots = 15 if how.long else 6
    at, weights = f.triangle[:count], f.weights[:count]
    roots, out = attach(points, head.triangles, at, weights), attach(normals, head.triangles, at, weights)
    most = count + BANGS
    path = np.zeros((most, knots, 3), np.float32)
    layer, tint, label = np.zeros(most, np.float32), np.zeros(most, np.float32), np.zeros(most, np.int32)
    kept = _grow(roots, out, f.place[:count], grid, how, path, layer, tint, label)
    gloss = 1.9 if spec["Straight_Hair"] else 0.6
    return Strands(
        path[:kept], layer[:kept], tint[:kept], label[:kept], colour(spec), 0.022 if how.long else 0.020, gloss
    )


@njit(cache=True)
def _grow(
    roots: Array,
    out: Array,
    place: Array,
    grid: Array,
    how: Style,
    path: Array,
    layer: Array,
    tint: Array,
    label: Array,
) -> int:
    kept = 0
    knots = path.shape[1]
    # bangs are additional strands, so that all other hair is the same with and without them
    for turn in range(len(roots) * (2 if how.bangs else 1)):
        s = turn % len(roots)
        bang = turn >= len(roots)
        cx, cy, cz = place[s]
        if bang and (cz < 0.80 or abs(cx) > 0.55 or abs(cx - how.bang_middle) > how.bang_reach or kept >= len(path)):
            continue
        above = cy - hairline(cx, cz, how.rise, how.temples)
        r1, r2, r3, r4 = hash2(s, 1 + how.phase), hash2(s, 2 + how.phase), hash2(s, 3 + how.phase), hash2(s, 4)
        if is_ear(cx, cy, cz) or above < 0.03 * (r1 - 0.3):
            continue
        # locks: neighbouring strands share random numbers
        lx, ly = int(np.floor(cx * 11 + 0.4 * r3)), int(np.floor((cy + cz) * 11 + 0.4 * r4))
        l1, l2, l3 = hash2(lx, ly + how.phase), hash2(lx + 77, ly + how.phase), hash2(lx + 177, ly + how.phase)
        if bang and above > 0.30:
            continue
        lay = r2 if not bang else 0.5 + 0.5 * r2
        if not how.long and not bang:  # short on the sides
            length = how.length * (0.30 + 0.70 * smooth(7.4, 7.95, cy))
        elif bang:
            length = (how.bang_length + above * 0.9) * (0.88 + 0.18 * l1 + 0.06 * r1)
        else:
            length = how.length * (0.85 + 0.2 * l1 + 0.08 * r1)
        step = length / (knots - 1)
        px, py, pz = roots[s, 0], roots[s, 1], roots[s, 2]
        nx, ny, nz = out[s, 0], out[s, 1], out[s, 2]
        side = np.tanh((px - how.parting) / 0.07)
        if bang:
            dx, dy, dz = 0.12 * px + 0.25 * (l2 - 0.5), -0.75, 0.75
        elif how.long:
            dx, dy, dz = 0.95 * side, 0.15 - 0.6 * smooth(8.0, 7.3, cy), -0.75 * smooth(0.5, 1.0, cz) + 0.2 * (l2 - 0.5)
        else:
            back = 1.0 if how.back > 0.45 else -0.9
            dx, dy, dz = (
                0.55 * side + 0.3 * (l2 - 0.5),
                -0.35 - 0.6 * smooth(7.9, 7.4, cy),
                (-0.5 * back) + 0.3 * (l3 - 0.5),
            )
        lift = 0.55 if not how.long else 0.15
        dx, dy, dz = dx + nx * lift, dy + ny * lift, dz + nz * lift
        path[kept, 0, 0], path[kept, 0, 1], path[kept, 0, 2] = px, py, pz
        phase = 6.2832 * l3 + 1.2 * (r3 - 0.5)
        for k in range(1, knots):
            t = k / (knots - 1)
            if how.long and not bang:
                gx, gy, gz = 0.0, -1.0, 0.0
                if py > 7.35:  # along the skull to the side and back, not over the forehead
                    gx = 0.5 * side
                    on_top = smooth(7.55, 7.85, py)
                    gx, gy = gx + 0.35 * side * on_top, -1.0 + 0.95 * on_top
                    gz = -0.75 * on_top * smooth(0.55, 0.95, pz)
                if pz > (0.10 if how.tucked else 0.50) and py < 7.75:
                    gz = -1.3 if pz > 0.75 else -0.8
                if py < 6.6:
                    gx = 0.06 * side
                dx, dy, dz = 0.66 * dx + 0.42 * gx, 0.66 * dy + 0.42 * gy, 0.66 * dz + 0.42 * gz
            elif bang:
                dy, dz = dy - 0.30, dz * 0.7
            else:
                dy -= 0.12
            jitter = how.frizz * 6
            dx += jitter * (hash2(s, 10 + k + how.phase) - 0.5)
            dy += 0.6 * jitter * (hash2(s, 40 + k + how.phase) - 0.5)
            dz += jitter * (hash2(s, 70 + k + how.phase) - 0.5)
            n = 1 / np.sqrt(dx * dx + dy * dy + dz * dz + 1e-9)
            dx, dy, dz = dx * n, dy * n, dz * n
            px, py, pz = px + step * dx, py + step * dy, pz + step * dz
            # stay outside the head
            qx, qy, qz = px - MIDDLE[0], py - MIDDLE[1], pz - MIDDLE[2]
            r = np.sqrt(qx * qx + qy * qy + qz * qz) + 1e-9
            qx, qy, qz = qx / r, qy / r, qz / r
            height = how.volume * (0.25 + 0.75 * lay) * smooth(0.0, 0.25, t)
            if bang:
                height = 0.03 + 0.05 * lay
            elif not how.long:
                height = 0.012 + how.volume * lay * t * 1.4 * (0.4 + 0.6 * smooth(7.4, 7.9, py))
            if how.long and not how.tucked and 6.7 < py < 7.5 and abs(px) > 0.5:
                height += 0.14 * smooth(7.5, 7.35, py) * smooth(-0.15, 0.1, pz)
            if py > how.hat - 0.05 - 0.28 * (1.2 - pz):
                height = 0.005
            least = radius(grid, qx, qy, qz) + height
            resting = not how.long or bang or py > 7.30  # hair rests on the skull and hangs freely below
            if how.long and not bang and resting and r > least:
                least += 0.5 * (r - least) * smooth(7.55, 7.30, py)
            if r < least or (resting and not bang):
                inward = dx * qx + dy * qy + dz * qz
                if inward < 0:
                    dx, dy, dz = dx - inward * qx, dy - inward * qy, dz - inward * qz
                px, py, pz = MIDDLE[0] + qx * least, MIDDLE[1] + qy * least, MIDDLE[2] + qz * least
            # keep hair out of the face
            if how.long and not bang and py < 7.72 and pz > 0.55:
                wall = 0.70 - 0.12 * smooth(7.2, 6.5, py)
                if abs(px) < wall:
                    px += 0.5 * ((wall if px > 0 else -wall) - px)
                    pz -= 0.06
            ox, oy, oz = px, py, pz
            if how.wave > 0 and not (bang and t < 0.3):
                bx, by, bz = dy * qz - dz * qy, dz * qx - dx * qz, dx * qy - dy * qx
                angle = 6.2832 * how.frequency * (t * length if how.long else t * 0.6 + 2 * (cx + cz)) + phase
                swing = how.wave * (0.35 + 0.65 * t) * (0.5 if bang else 1.0)
                if py > how.hat - 0.1 - 0.28 * (1.2 - pz):
                    swing = 0.0
                ca, sa = np.cos(angle), np.sin(angle)
                ox += swing * (ca * bx + 0.8 * (1 + sa) * qx)
                oy += swing * (ca * by + 0.3 * sa * qy)
                oz += swing * (ca * bz + 0.8 * (1 + sa) * qz)
            path[kept, k, 0], path[kept, k, 1], path[kept, k, 2] = ox, oy, oz
        layer[kept] = lay
        tint[kept] = 0.74 + 0.30 * l1 + 0.25 * r1 + 0.12 * (noise(cx * 5 + how.phase, cy * 5) - 0.5)
        label[kept] = _BANGS if bang else _HAIR
        kept += 1
    return kept
