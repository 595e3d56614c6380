"""Geometry of faces: head, pose, hair and accessories."""
