"""Losses for rare classes, each with its paper."""
