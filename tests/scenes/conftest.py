"""Scenes compiled before any test, and small ones that several tests count in."""

import pytest

SMALL = {"size": 32, "scale": (0.2, 0.26)}
"""Scenes that are drawn in a millisecond; objects have 6 to 8 pixels a side."""


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Compile the drawing, or load it from numba's cache, before any test: that belongs to none of them."""
    from bincam import scenes

    scenes.draw(1)
