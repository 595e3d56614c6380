"""Sets of generated faces on disk, in CelebA's layout."""
