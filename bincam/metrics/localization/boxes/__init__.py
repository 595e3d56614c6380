"""Boxes: does a map mark the object? Boxes at every threshold, three protocols, scores and what they are held against.

``components`` cuts a map at all levels in one pass; ``clean``, ``clovaai`` and ``zhou`` are the protocols. ``overlaps``
holds their results, ``scores`` and ``pixels`` make figures of them, ``constant`` and ``reach`` what a map must beat.
"""
