"""Measures of evidence maps: pure functions of maps, masks and, where it must be asked again, the model."""
