"""Readers of the masks that formats of objects state, as regions of an image."""
