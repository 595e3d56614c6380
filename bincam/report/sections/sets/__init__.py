"""Cards of sets of outputs of which exactly one is true."""
