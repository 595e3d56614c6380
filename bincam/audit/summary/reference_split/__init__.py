"""Figures of the reference split, which is not among the audited images."""
