"""Conclusions of sets of outputs of which exactly one is true: facts read, and the verdict's rules on them."""
