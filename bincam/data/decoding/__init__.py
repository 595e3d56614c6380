"""Decoding of images that are not 8-bit RGB: other numbers of channels, and other ranges of values."""
