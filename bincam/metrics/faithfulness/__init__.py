"""How well evidence agrees with what the model does when pixels change."""
