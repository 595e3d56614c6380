"""Prediction grids in the pass over the images: their columns, what is stored of them, and hidden objects."""
