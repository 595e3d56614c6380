"""Commands for studies of an audit."""
