"""Losses for imbalanced attributes, each with its paper."""
