"""Statistical summary of an audit's records."""
