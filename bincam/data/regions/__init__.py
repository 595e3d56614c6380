"""Regions of an image in which an attribute is expected to be visible."""
