"""Charts of what was measured over a data set."""
