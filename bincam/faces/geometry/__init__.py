"""Shapes: head, pose, hair, accessories."""
