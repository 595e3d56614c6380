"""Sections of the page, one per module."""
