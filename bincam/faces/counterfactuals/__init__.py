"""Pairs of faces that differ in one attribute, and the regions measured with them."""
