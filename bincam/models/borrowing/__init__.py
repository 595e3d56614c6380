"""Use of a foreign model without a trace, and checks that its output is a function of one image."""
