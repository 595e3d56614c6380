"""Commands that generate data sets: faces and scenes."""
