"""Intervals of figures of images that belong to clusters, from what each cluster contributes to a figure's error."""
