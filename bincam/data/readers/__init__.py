"""Readers, one per format; each returns an ``AttributeTable``."""
