"""Summary of prediction grids: each figure beside its null, what small objects lose, other poolings."""
