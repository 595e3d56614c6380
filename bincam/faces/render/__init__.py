"""From a scene to pixels: rasterizer, shading, camera."""
