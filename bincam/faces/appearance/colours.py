"""Colours of one face: skin, eyes, make-up, clothes, light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.faces.appearance.light import Light
from bincam.faces.appearance.materials import Eyes, Wear
from bincam.faces.appearance.skin import Paint
from bincam.faces.geometry import hair
from bincam.faces.geometry.facial_hair import brow_curve
from bincam.faces.geometry.material_ids import CLOTHES, COLLAR, EARRING, FRAME, HAT, NECKLACE, TIE
from bincam.faces.labels.intensity import amount, shown
from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]

# sRGB complexions from dark to fair; Pale_Skin has two of its own, fairer than all of these
TONES = np.array([(84, 52, 38), (122, 78, 54), (158, 106, 76), (190, 138, 104), (210, 160, 126), (222, 176, 146)])
PALE = np.array([(232, 204, 192), (240, 214, 202)])
LIPSTICKS = np.array(
    [(176, 16, 34), (150, 12, 60), (206, 44, 70), (120, 10, 30), (214, 58, 96), (168, 84, 84), (196, 104, 104)]
)
IRISES = np.array([(58, 34, 20), (84, 52, 28), (96, 78, 40), (74, 96, 64), (70, 104, 138), (96, 128, 160)])
METALS = np.array([(218, 168, 74), (200, 202, 208), (214, 140, 116)])


def brow_colour(spec: FaceSpec) -> Array:
    """Return (3,), the linear colour of brows and beard, which does not depend on the scalp hair."""
    shade = stream(spec.identity, "brow colour").random()
    return np.asarray(hair.linear(np.array([22, 16, 14]) + shade * np.array([40, 24, 14])))


def complexion(spec: FaceSpec) -> Array:
    """Return (3,), the linear colour of the skin."""
    position, warm, pale = stream(spec.identity, "skin").random(3)
    position *= len(TONES) - 1.001
    k = int(position)
    tone = TONES[k] * (1 - position + k) + TONES[k + 1] * (position - k)
    if spec["Pale_Skin"]:
        tone = PALE[0] * (1 - pale) + PALE[1] * pale
    return np.asarray(hair.linear(tone) * np.array([1 + 0.06 * (warm - 0.5), 1.0, 1 - 0.12 * (warm - 0.5)]))


def _usual(spec: FaceSpec, attribute: str, usual: bool) -> float:
    """Return the amount of an attribute, reduced on faces of the sex that hardly ever shows it without the label."""
    return shown(spec, attribute) * (1.0 if usual or spec[attribute] else 0.2)


def paint(spec: FaceSpec, how: hair.Style) -> Paint:
    """Return everything painted on the skin of a face with the hair style ``how``."""
    tone = complexion(spec)
    lip_red, lip_hue, shadow = stream(spec.seed, "make-up").random(3)
    red, glossy = stream(spec.identity, "lips").random(2) * (0.55 if spec["Male"] else 1.0)
    lip = tone * (np.array([0.86, 0.66, 0.66]) - np.array([0.0, 0.30, 0.28]) * red)
    stick = min(_usual(spec, "Wearing_Lipstick", not spec["Male"]), 1.0)
    lip = (
        lip * (1 - stick)
        + hair.linear(LIPSTICKS[int(lip_hue * len(LIPSTICKS) * 0.999)] * (0.85 + 0.25 * lip_red)) * stick
    )
    shadows = np.array([(74, 48, 110), (34, 84, 124), (110, 52, 40), (36, 36, 44), (28, 100, 88), (140, 50, 90)])
    spots = stream(spec.identity, "freckles").random()
    arch, half = brow_curve(spec)
    return Paint(
        tone=tone,
        lip=lip,
        lipstick=min(max(stick, 0.45 * glossy), 1.0),
        shadow=hair.linear(shadows[int(shadow * 5.999)]),
        makeup=min(0.85 * _usual(spec, "Heavy_Makeup", not spec["Male"]), 1.0),
        rosy=0.8 * shown(spec, "Rosy_Cheeks"),
        bags=0.9 * shown(spec, "Bags_Under_Eyes"),
        stubble=0.56 * _usual(spec, "5_o_Clock_Shadow", spec["Male"]),
        beard=0.0 if spec["No_Beard"] else 0.45 * (1 - min(shown(spec, "No_Beard"), 0.6)),
        stubble_colour=brow_colour(spec) * 0.5 + 0.06 * tone + np.array([0.0, 0.002, 0.006]),
        wrinkles=min(max(0.9 - 0.9 * amount(spec, "Young"), 0.0), 1.0),
        cheekbones=0.8 * shown(spec, "High_Cheekbones"),
        double_chin=shown(spec, "Double_Chin"),
        pointy=0.9 * shown(spec, "Pointy_Nose"),
        freckles=0.9 * max(spots - 0.8, 0) / 0.2,
        hairline=how.rise,
        temples=how.temples,
        hair=0.0 if spec["Bald"] else how.roots,
        hair_colour=hair.colour(spec),
        phase=float(spec.identity % 977),
        brow_arch=arch,
        brow_half=half,
        brow_colour=brow_colour(spec),
    )


def eyes(spec: FaceSpec, centre: Array) -> Eyes:
    """Return the colours of the eyes; ``centre`` (3,) is that of the left one on the shared head."""
    which, wet = stream(spec.identity, "iris").random(2)
    x, y = stream(spec.seed, "gaze").normal(size=2).clip(-2, 2)
    return Eyes(
        iris=hair.linear(IRISES[int(which**1.3 * 5.999)] * (0.9 + 0.3 * wet)),
        white=hair.linear(np.array([226, 220, 214])),
        gaze=np.array([0.016 * x, 0.008 * y]),
        centre=centre,
        makeup=min(_usual(spec, "Heavy_Makeup", not spec["Male"]), 1.0),
    )


def wear(spec: FaceSpec) -> Wear:
    """Return colours and patterns of clothes and accessories, each from its own random stream."""
    colour, second = np.zeros((12, 3)), np.zeros((12, 3))
    pattern, shine = np.zeros(12, np.int64), np.full(12, 0.05)

    def fill(row: int, name: str, value: float, patterns: tuple[int, ...], glint: float = 0.05) -> None:
        rng = stream(spec.seed, name + " colour")
        hue, strength, bright, second_bright = rng.random(4)
        angle = 2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3]))
        base = 1 + 0.85 * strength * np.cos(angle)
        colour[row] = value * (0.06 + bright**1.6) * base / base.max()
        second[row] = np.clip(0.5 * colour[row] + 0.5 * value * second_bright, 0, 0.9)
        pattern[row] = patterns[int(rng.random() * len(patterns) * 0.999)]
        shine[row] = glint

    fill(CLOTHES, "clothes", 0.75, (0, 0, 0, 1, 2, 3, 5))
    fill(HAT, "hat", 0.8, (0, 0, 1, 3, 4))
    natural, shade, mix = stream(spec.seed, "hat felt").random(3)
    if natural < 0.5:  # felt, wool and leather in colours that hair can also have
        felt = hair.linear(np.array([22, 19, 18]) + shade**2 * np.array([150, 112, 76])) * (0.8 + 0.4 * mix)
        colour[HAT], second[HAT] = felt, 0.8 * felt
    fill(TIE, "necktie", 0.6, (0, 1, 2, 5), 0.35)
    pale, blue = stream(spec.seed, "collar").random(2)
    colour[COLLAR] = hair.linear(np.array([238, 238, 236]) - pale * np.array([60, 50, 40]) * np.array([1, 1, blue]))
    second[COLLAR] = colour[COLLAR]
    for row, name in ((EARRING, "earring metal"), (NECKLACE, "necklace metal")):
        k, gem, hue = stream(spec.seed, name).random(3)
        colour[row] = hair.linear(METALS[int(k * 2.999)])
        if gem < 0.35:
            colour[row] = (
                0.06 + 0.7 * np.clip(0.15 + np.cos(2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3]))), 0, 1) ** 2
            )
        second[row], shine[row] = colour[row], 1.6
    dark, hue, sun, tint = stream(spec.seed, "glasses colour").random(4)
    colour[FRAME] = 0.012 if dark < 0.5 else hair.linear(METALS[int(hue * 2.999)]) * 0.5
    second[FRAME], shine[FRAME] = colour[FRAME], 0.7
    neckline, vee, kind = stream(spec.seed, "neckline").random(3)
    return Wear(
        colour=colour,
        second=second,
        pattern=pattern,
        shine=shine,
        cloth=CLOTHES,
        neckline=6.02 + 0.16 * neckline if kind < 0.8 else 6.28,
        vee=0.0 if kind > 0.45 else 0.12 + 0.28 * vee,
        lens_dark=0.80 if sun < 0.22 else 0.08,
        lens_colour=np.array([0.015, 0.012, 0.01]) + 0.03 * tint,
    )


def light(spec: FaceSpec) -> Light:
    """Draw the light, which depends on no attribute."""
    rng = stream(spec.seed, "light")
    side, height, ratio, warm, rim, back = rng.random(6)
    angle, up = 1.15 * (2 * side - 1), 0.25 + 0.55 * height
    key = np.array([np.sin(angle) * np.cos(up), np.sin(up), np.cos(angle) * np.cos(up)])
    tint = np.array([1 + 0.10 * (warm - 0.4), 1.0, 1 - 0.14 * (warm - 0.4)])
    strong = 0.62 + 0.38 * ratio
    ambient = 1.02 - 0.62 * strong
    edge = np.array([-np.sign(angle) * 0.80, 0.35, -0.45])
    return Light(
        key=key,
        key_colour=strong * tint,
        above=ambient * np.array([0.98, 1.0, 1.06]),
        below=0.55 * ambient * np.array([1.06, 1.0, 0.92]),
        rim=edge / np.linalg.norm(edge),
        rim_colour=(0.35 * rim if back > 0.4 else 0.0) * np.array([1.0, 1.0, 1.05]),
    )
