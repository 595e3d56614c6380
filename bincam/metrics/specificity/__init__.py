"""Attribute specificity: is an attribute's map its own, or does it show what all maps of the image show?"""
