"""Figures: everything that is drawn."""
