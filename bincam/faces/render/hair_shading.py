"""Shading of hair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.appearance.light import Light
from bincam.faces.render.shading import REACH, SHADOW

Array = NDArray[Any]


@njit(cache=True)
def sheen(
    where: Array, layer: Array, tint: Array, base: Array, gloss: float, light: Light, axes: Array, middle: Array,
    shadow: Array, rgb: Array,
) -> None:  # fmt: skip
    """Shade strands of hair after Kajiya and Kay, *Rendering fur with three dimensional textures* (SIGGRAPH 1989).

    Unlike in the paper, the highlight is shifted along the strand, and a second, wider one has the colour of the hair.

    Args:
        where: (S, K, 3) knots of the strands in the viewer's frame.
        layer: (S,) from 0, next to the skin, to 1, outermost.
        tint: (S,) relative brightness.
        base: (3,) linear colour.
        gloss: Strength of the highlight.
        light: The light.
        axes: (3, 3) frame of the key light.
        middle: (3,) middle of the shadow map.
        shadow: (SHADOW, SHADOW) shadow map.
        rgb: (S, K, 3) linear colours, written.
    """
    count, knots = where.shape[0], where.shape[1]
    scale = 0.5 * SHADOW / REACH
    for s in range(count):
        inner = 0.42 + 0.58 * layer[s]
        for k in range(knots):
            i, j = max(k - 1, 0), min(k + 1, knots - 1)
            tx = where[s, j, 0] - where[s, i, 0]
            ty = where[s, j, 1] - where[s, i, 1]
            tz = where[s, j, 2] - where[s, i, 2]
            n = 1 / (np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-9)
            tx, ty, tz = tx * n, ty * n, tz * n
            rx, ry, rz = where[s, k, 0] - middle[0], where[s, k, 1] - middle[1], where[s, k, 2] - middle[2]
            # an approximate normal: away from the middle of the head
            rn = 1 / (np.sqrt(rx * rx + ry * ry + rz * rz) + 1e-9)
            facing = (rx * light.key[0] + ry * light.key[1] + rz * light.key[2]) * rn
            u = int((axes[0, 0] * rx + axes[0, 1] * ry + axes[0, 2] * rz) * scale + 0.5 * SHADOW)
            v = int((axes[1, 0] * rx + axes[1, 1] * ry + axes[1, 2] * rz) * scale + 0.5 * SHADOW)
            w = axes[2, 0] * rx + axes[2, 1] * ry + axes[2, 2] * rz
            lit = 1.0
            if 0 <= u < SHADOW and 0 <= v < SHADOW:
                d = shadow[v, u] - w
                lit = 1 - min(max((d - 0.02) / 0.16, 0.0), 0.85)
            tl = tx * light.key[0] + ty * light.key[1] + tz * light.key[2]
            sl = np.sqrt(max(1 - tl * tl, 0.0))
            sv = np.sqrt(max(1 - tz * tz, 0.0))
            shifted = tl * 0.995 + 0.10
            spec = max(sl * sv - shifted * tz, 0.0) ** 26 * gloss
            wide = max(sl * sv - (shifted - 0.22) * tz, 0.0) ** 8
            body = sl * (0.30 + 0.70 * min(max(0.35 + 0.75 * facing, 0.0), 1.0))
            root = 0.72 + 0.28 * min(k / (0.35 * knots), 1.0)
            up = 0.5 + 0.5 * ry * rn
            for c in range(3):
                diffuse = base[c] * tint[s] * inner * root
                ambient = light.above[c] * (0.35 + 0.65 * up) + light.below[c] * (0.5 - 0.5 * up)
                shine = (0.035 + 0.22 * base[c]) * spec + 0.20 * base[c] * wide
                rgb[s, k, c] = diffuse * (light.key_colour[c] * body * lit * 1.15 + ambient * 0.9) + (
                    light.key_colour[c] * lit * shine * inner
                )
