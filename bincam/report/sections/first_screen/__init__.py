"""The first screen: findings, comparisons and the table of all numbers."""
