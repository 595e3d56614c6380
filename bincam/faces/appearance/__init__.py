"""Appearance of faces: colours, materials, background and light."""
