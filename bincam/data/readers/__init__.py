"""Readers, one a format: each makes an ``AttributeTable``."""
