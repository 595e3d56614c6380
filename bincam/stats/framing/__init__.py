"""Framing sensitivity: whether decisions of a model depend on scale and place at which it looks at an image."""
