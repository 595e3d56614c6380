"""Features of a backbone, and their poolings to one vector or of cell scores."""
