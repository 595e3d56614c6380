"""A model as an explainer holds it: borrowed, read as raw scores, and with what the user stated of it."""
