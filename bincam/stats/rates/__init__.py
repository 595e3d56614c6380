"""Rates that depend on more than labels and decisions: operating points, prevalence, people, label noise."""
