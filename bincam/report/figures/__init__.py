"""Figures of explanations, audits, contrasts and data sets."""
