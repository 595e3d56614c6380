"""Measures of maps after the pass: on a sample, against random parameters and between attributes."""
