"""Sets of outputs of which exactly one is true, in the summary of an audit."""
