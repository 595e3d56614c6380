"""Estimates, intervals, tests and rates: arrays in, figures out; nothing here knows of models, data sets or files."""
