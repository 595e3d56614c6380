"""The gate: rules that an audit must meet."""
