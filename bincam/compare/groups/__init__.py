"""Groups of people in a contrast: how the gaps between them differ between the two models."""
