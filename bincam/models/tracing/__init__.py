"""Traces of forward passes: the calls, what they read, and the modes in which gradients flow."""
