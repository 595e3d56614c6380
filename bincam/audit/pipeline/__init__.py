"""The audit's one pass over the images."""
