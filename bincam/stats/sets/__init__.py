"""Sets of outputs of which exactly one is true: metrics, and estimates with intervals over clusters."""
