"""Contrast of two models on sets of outputs of which exactly one is true."""
