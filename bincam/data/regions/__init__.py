"""Regions in which an attribute is expected to show."""
