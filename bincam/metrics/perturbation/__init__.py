"""Maps from the model's response to hidden places: references that read neither features nor gradients."""
