"""Sections of an attribute: its card, charts and figures by group."""
