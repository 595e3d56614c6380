"""A training run: its setup, folder, state, manifest and progress."""
