"""Boxes in the audit's pass: which pairs are measured, what is true of them, and the columns of their maps."""
