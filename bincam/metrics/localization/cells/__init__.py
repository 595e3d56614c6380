"""Measures of prediction grids: do the cells on an object say what is true, more than others, more than by chance?"""
