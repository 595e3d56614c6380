"""The gate: rules that an audit must pass."""
