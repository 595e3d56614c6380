"""Structure of the head between the pooled tensor and the logits, and the claim that it permits."""
