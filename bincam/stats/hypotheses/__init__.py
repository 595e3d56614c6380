"""Tests of differences, and their correction within families."""
