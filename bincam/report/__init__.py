"""Figures and reports: all drawing is here."""
