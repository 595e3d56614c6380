"""Rendering of a scene to pixels: rasteriser, shading, camera."""
