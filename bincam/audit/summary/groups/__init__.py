"""Figures of an audit by groups of images, and their differences."""
