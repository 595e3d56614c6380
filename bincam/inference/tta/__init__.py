"""Test time: means over views, and one step of entropy minimisation on a borrowed model."""
