"""How well evidence lies where it is expected."""
