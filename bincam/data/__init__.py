"""Data sets of labelled images: reading, checking, regions, alignment, augmentation."""
