"""Sets of outputs of which exactly one is true, in the pass over the images."""
