"""Classifiers with attribute heads: building, loading, and what stands between features and logits."""
