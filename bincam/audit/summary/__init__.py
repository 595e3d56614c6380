"""The figures that an audit's records come to."""
