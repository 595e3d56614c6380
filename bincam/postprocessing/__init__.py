"""From logits to decisions: thresholds and calibration."""
