"""Places in the image of a tensor's entries, and the grids that they form."""
