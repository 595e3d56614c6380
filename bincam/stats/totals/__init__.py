"""Estimates from sums over the images of clusters, and from numbers of images at each score, without the images."""
