"""Postprocessing of logits: decision thresholds and calibration."""
