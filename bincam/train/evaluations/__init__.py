"""Evaluation of a run's model: logits, metrics of attributes and of sets."""
