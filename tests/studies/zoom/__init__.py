"""Tests of the zoom study."""
