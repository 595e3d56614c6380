"""Explanations of an image at several views: their mean, laid back into the image's frame."""
