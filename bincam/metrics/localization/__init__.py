"""Localisation: agreement between evidence and the regions where it is expected."""
