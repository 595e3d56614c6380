"""Ways to carry out the pass over the images."""
