"""Attributes of generated faces: their distribution, their constraints and the intensity of each."""
