"""Deferred shading of the z-buffer to linear colours and parts, with one or four samples per pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.appearance.light import Light
from bincam.faces.appearance.materials import Eyes, Wear, dressed, eyeball, fabric
from bincam.faces.appearance.skin import Paint, paint
from bincam.faces.geometry.material_ids import EYE, SKIN, TEETH, TONGUE
from bincam.faces.geometry.surface_regions import noise, region, smooth
from bincam.faces.labels.parts import Part

Array = NDArray[Any]

_PART = np.array(
    [
        Part.FACE, Part.EYE, Part.MOUTH, Part.MOUTH, Part.GLASSES, Part.GLASSES, Part.HAT, Part.EARRING,
        Part.NECKLACE, Part.NECKTIE, Part.NECKTIE, Part.CLOTHES,
    ],
    np.int64,
)  # fmt: skip
_CLOTHES = int(Part.CLOTHES)
_SUNGLASSES, _CLEAR = int(Part.GLASSES), int(Part.LENS)
_LIPS, _MOUTH = int(Part.LIPS), int(Part.MOUTH)
SHADOW = 192  # width and height of the shadow map in samples
REACH = 1.75  # from its middle to its edge in decimetres


@njit(cache=True)
def shadowed(px: float, py: float, pz: float, axes: Array, middle: Array, shadow: Array, bias: float) -> float:
    """Return the fraction of the key light that reaches a point, interpolated over 3 x 3 shadow map samples."""
    rx, ry, rz = px - middle[0], py - middle[1], pz - middle[2]
    scale = 0.5 * SHADOW / REACH
    u = (axes[0, 0] * rx + axes[0, 1] * ry + axes[0, 2] * rz) * scale + 0.5 * SHADOW - 1.0
    v = (axes[1, 0] * rx + axes[1, 1] * ry + axes[1, 2] * rz) * scale + 0.5 * SHADOW - 1.0
    w = axes[2, 0] * rx + axes[2, 1] * ry + axes[2, 2] * rz + bias
    i, j = int(np.floor(u)), int(np.floor(v))
    if i < 1 or j < 1 or i >= SHADOW - 2 or j >= SHADOW - 2:
        return 1.0
    fu, fv = u - i, v - j
    lit = 0.0
    for b in range(3):
        wv = (1 - fv) if b == 0 else (fv if b == 2 else 1.0)
        for a in range(3):
            wu = (1 - fu) if a == 0 else (fu if a == 2 else 1.0)
            d = (shadow[j + b, i + a] - w) * 40
            lit += wu * wv * (1 - min(max(d, 0.0), 1.0))
    return lit / 4.0


@njit(cache=True)
def surface(
    t: int, u: float, v: float, w: float, index: Array, position: Array, normal: Array, local: Array, ambient: Array,
    material: Array, skin: Paint, wear: Wear, eyes: Eyes, light: Light, axes: Array, middle: Array, shadow: Array,
    albedo: Array, out: Array,
) -> int:  # fmt: skip
    """Shade triangle t at its barycentric coordinates u, v, w into ``out`` (3,), and return the part."""
    i, j, k = index[t]
    m = material[t]
    x = u * local[i, 0] + v * local[j, 0] + w * local[k, 0]
    y = u * local[i, 1] + v * local[j, 1] + w * local[k, 1]
    z = u * local[i, 2] + v * local[j, 2] + w * local[k, 2]
    nx = u * normal[i, 0] + v * normal[j, 0] + w * normal[k, 0]
    ny = u * normal[i, 1] + v * normal[j, 1] + w * normal[k, 1]
    nz = u * normal[i, 2] + v * normal[j, 2] + w * normal[k, 2]
    inv = 1 / (np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
    nx, ny, nz = nx * inv, ny * inv, nz * inv
    px = u * position[i, 0] + v * position[j, 0] + w * position[k, 0]
    py = u * position[i, 1] + v * position[j, 1] + w * position[k, 1]
    pz = u * position[i, 2] + v * position[j, 2] + w * position[k, 2]
    ao = min(max(u * ambient[i] + v * ambient[j] + w * ambient[k], 0.0), 1.0)

    part = _PART[m]
    wrap = 0.0
    shine, gloss = 0.3, 12.0
    if m == SKIN:
        under = dressed(x, y, z, wear.neckline, wear.vee) if y < 6.5 else -1.0
        if under > 0:
            fabric(x, y - 0.5 * z, wear.cloth, wear, albedo)
            hem = 1 - 0.35 * smooth(0.045, 0.030, under) * smooth(0.015, 0.03, under)
            for c in range(3):
                albedo[c] *= hem
            fold = 0.25 * (noise(3 * x + 11, 3 * y + 5) - 0.5)
            nx, ny = nx + fold, ny + 0.5 * fold
            part = _CLOTHES
            shine = wear.shine[wear.cloth]
            wrap = 0.1
        else:
            shine = paint(x, y, z, skin, albedo)
            part = region(x, y, z)
            if under > -0.10:
                ao *= 1 - 0.4 * smooth(-0.10, 0.0, under)
            if part == _MOUTH:
                ao *= 0.25
            wrap = 0.28
            gloss = 26.0 if part == _LIPS else 14.0
            shine *= 0.30
    elif m == EYE:
        shine = eyeball(x, y, eyes, albedo)
        gloss = 90.0
        ao = 0.35 + 0.65 * ao
        wrap = 0.4
    elif m == TEETH:
        gap = 1 - 0.25 * smooth(0.7, 0.95, abs(np.sin(x * 34)))
        back = smooth(1.0, 1.42, z)
        albedo[0], albedo[1], albedo[2] = 0.92 * gap * back, 0.87 * gap * back, 0.78 * gap * back
        shine, gloss, wrap = 0.5, 40.0, 0.4
        ao = 0.55 + 0.3 * ao
    elif m == TONGUE:
        albedo[0], albedo[1], albedo[2] = 0.34, 0.085, 0.08
        ao = 0.15 + 0.4 * ao
        wrap = 0.4
    else:
        fabric(x, y, m, wear, albedo)
        shine = wear.shine[m]
        gloss = 40.0 if shine > 0.5 else 10.0
        wrap = 0.15 if shine < 0.5 else 0.0
        if nz < 0:
            nx, ny, nz = -nx, -ny, -nz

    lit = 1.0
    facing = light.key[0] * nx + light.key[1] * ny + light.key[2] * nz
    if facing > -wrap:
        lit = shadowed(px + 0.03 * nx, py + 0.03 * ny, pz + 0.03 * nz, axes, middle, shadow, 0.035)
    soft = max((facing + wrap) / (1 + wrap), 0.0)
    hard = max(facing, 0.0)
    blood = 1.0 if m == SKIN and part != _CLOTHES else 0.0
    # half vector of the key light; the viewer looks along -z
    hx, hy, hz = light.key[0], light.key[1], light.key[2] + 1
    hn = 1 / np.sqrt(hx * hx + hy * hy + hz * hz)
    half = max((hx * nx + hy * ny + hz * nz) * hn, 0.0)
    spec = shine * (half**gloss) * lit * (0.25 + 0.75 * hard)
    edge = (1 - max(nz, 0.0)) ** 3
    rim = max(light.rim[0] * nx + light.rim[1] * ny + light.rim[2] * nz, 0.0)
    up = 0.5 + 0.5 * ny
    for c in range(3):
        # light scattered in the skin is red
        bleed = soft if c == 0 else (0.35 * soft + 0.65 * hard)
        diffuse = (bleed if blood > 0 else soft) * lit
        occluded = ao if c else ao ** (1 - 0.25 * blood)
        ambient_light = (light.above[c] * up + light.below[c] * (1 - up)) * occluded
        colour = albedo[c] * (
            light.key_colour[c] * diffuse + ambient_light + light.rim_colour[c] * rim * (0.4 + 0.6 * edge)
        )
        colour += spec * light.key_colour[c] * 0.55 + shine * 0.25 * edge * light.above[c] * ao
        out[c] = colour
    return int(part)


@njit(cache=True)
def shade(
    owner: Array, depth: Array, knot_colour: Array, knot_part: Array, lens_owner: Array, lens_depth: Array,
    first: int, xyz: Array, index: Array, position: Array, normal: Array, local: Array, ambient: Array,
    material: Array, skin: Paint, wear: Wear, eyes: Eyes, light: Light, axes: Array, middle: Array, shadow: Array,
    background: Array, image: Array, parts: Array,
) -> None:  # fmt: skip
    """Shade every pixel from its 2 x 2 samples into ``image`` (H, W, 3), linear, and ``parts`` (H, W)."""
    height, width = parts.shape
    albedo, out = np.zeros(3), np.zeros(3)
    total = np.zeros(3)
    label, shaded_label, shaded = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros((4, 3))
    for row in range(height):
        for column in range(width):
            y0, x0 = 2 * row, 2 * column
            o = owner[y0, x0]
            if (
                o < 0 and owner[y0, x0 + 1] < 0 and owner[y0 + 1, x0] < 0 and owner[y0 + 1, x0 + 1] < 0
                and lens_owner[y0, x0] < 0 and lens_owner[y0 + 1, x0 + 1] < 0
            ):  # fmt: skip
                for c in range(3):
                    image[row, column, c] = background[row, column, c]
                continue
            same = 0 <= o < first and lens_owner[y0, x0] < 0
            if same:
                m = material[o]
                d = depth[y0, x0]
                for s in range(1, 4):
                    p = owner[y0 + (s >> 1), x0 + (s & 1)]
                    if (
                        p < 0 or p >= first or material[p] != m or lens_owner[y0 + (s >> 1), x0 + (s & 1)] >= 0
                        or abs(depth[y0 + (s >> 1), x0 + (s & 1)] - d) > 0.08
                    ):  # fmt: skip
                        same = False
                        break
                if m in (EYE, TEETH):
                    same = False
            total[0] = total[1] = total[2] = 0.0
            for s in range(1 if same else 4):
                yy, xx = y0 + (s >> 1), x0 + (s & 1)
                o = owner[yy, xx]
                if o < 0:
                    label[s] = 0
                    for c in range(3):
                        out[c] = background[row, column, c]
                elif o >= first:
                    label[s] = knot_part[o - first]
                    for c in range(3):
                        out[c] = knot_colour[o - first, c]
                else:
                    twin = -1  # an earlier sample of this pixel on the same surface is reused
                    for q in range(s if material[o] != EYE else 0):
                        p = owner[y0 + (q >> 1), x0 + (q & 1)]
                        gap = abs(depth[y0 + (q >> 1), x0 + (q & 1)] - depth[yy, xx])
                        if 0 <= p < first and material[p] == material[o] and gap < 0.08:
                            twin = q
                            break
                    if twin >= 0:
                        label[s] = shaded_label[twin]
                        for c in range(3):
                            out[c] = shaded[twin, c]
                    else:
                        px = xx + (1.0 if same else 0.5)
                        py = yy + (1.0 if same else 0.5)
                        i, j, k = index[o]
                        ax, ay, bx, by = xyz[i, 0], xyz[i, 1], xyz[j, 0], xyz[j, 1]
                        cx, cy = xyz[k, 0], xyz[k, 1]
                        inv = 1 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
                        u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inv
                        v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inv
                        if same:  # the middle may be outside the triangle: stay near it
                            u, v = min(max(u, -0.5), 1.5), min(max(v, -0.5), 1.5)
                        label[s] = surface(
                            o, u, v, 1 - u - v, index, position, normal, local, ambient, material, skin, wear, eyes,
                            light, axes, middle, shadow, albedo, out,
                        )  # fmt: skip
                    shaded_label[s] = label[s]  # before a lens is blended over it
                    for c in range(3):
                        shaded[s, c] = out[c]
                lens = lens_owner[yy, xx]
                if lens >= 0 and lens_depth[yy, xx] > depth[yy, xx]:
                    i, j, k = index[lens]
                    gx, gy = local[i, 0] + local[j, 0] + local[k, 0], local[i, 1] + local[j, 1] + local[k, 1]
                    glare = 0.10 + 0.55 * smooth(0.12, 0.0, abs(gx / 3 + gy / 3 - 0.45)) * (0.4 + 0.6 * wear.lens_dark)
                    keep = 1 - wear.lens_dark
                    for c in range(3):
                        out[c] = out[c] * (keep * 0.92 + (1 - keep) * 0.05) + wear.lens_colour[c] * (1 - keep)
                        out[c] += glare * light.above[c] * 0.35
                    label[s] = _SUNGLASSES if wear.lens_dark > 0.5 else _CLEAR
                for c in range(3):
                    total[c] += out[c]
            if same:
                parts[row, column] = label[0]
                for c in range(3):
                    image[row, column, c] = total[c]
            else:
                best, most = label[0], 0
                for s in range(4):
                    n = 0
                    for q in range(4):
                        n += label[q] == label[s]
                    if n > most or (n == most and best == 0):
                        best, most = label[s], n
                parts[row, column] = best
                for c in range(3):
                    image[row, column, c] = 0.25 * total[c]
