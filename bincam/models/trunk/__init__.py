"""Faster ways to run the part of a borrowed network below the explained tensor."""
