"""Boxes of a map by the field's protocols, and the components they are made of."""
