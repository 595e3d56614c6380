"""Attributes of generated faces: their distribution, their constraints, and how far each is drawn."""
