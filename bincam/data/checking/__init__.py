"""What may be wrong with a data set: damaged files, and people and pictures in several splits."""
