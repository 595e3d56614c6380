"""The compiled renderer, and one that takes no time: a colour for each label, so that a label's change is known."""

import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Drawn:
    image: np.ndarray
    parts: np.ndarray
    visible: np.ndarray
    landmarks: np.ndarray
    bbox: tuple
    jpeg_quality: int


def cell(column, size):
    """The pixels of a label: a cell of an 8 x 5 board."""
    width, height = size
    row, at = divmod(column, 8)
    return (
        slice(row * height // 5, (row + 1) * height // 5),
        slice(at * width // 8, (at + 1) * width // 8),
    )


def draw(spec, size=(178, 218), *, camera=True):
    rng = np.random.default_rng(spec.seed)
    image = np.full((size[1], size[0], 3), 40, dtype=np.uint8)
    for column, on in enumerate(spec.labels):
        image[cell(column, size)] += np.uint8(60 * on + column)
    parts = image[..., 0] // 32
    if camera:
        image += rng.integers(0, 4, image.shape, dtype=np.uint8)
    visible = np.ones(40, dtype=bool)
    visible[34] = spec.seed % 4 != 0  # earrings are hidden now and then
    return Drawn(image, parts, visible, rng.random((5, 2)) * size, (10.0, 12.0, 50.0, 60.0), 80 + spec.seed % 15)


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Compile the renderer, or load it from numba's cache, before any test: that belongs to none of them."""
    from bincam.faces.labels.sampler import spec
    from bincam.faces.render.image import render

    render(spec(0), (64, 78))


@pytest.fixture
def fake_renderer(monkeypatch):
    module = types.ModuleType("bincam.faces.render.image")
    module.render = draw
    monkeypatch.setitem(sys.modules, "bincam.faces.render.image", module)
    return module
