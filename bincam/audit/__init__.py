"""Audits: measures of maps, rates, intervals, slices, contrasts, gates, and the store that keeps them."""
