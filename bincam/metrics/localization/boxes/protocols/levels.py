"""The thresholds of boxes, as shares of a map's maximum."""

from __future__ import annotations

LEVELS = tuple(k / 100 for k in range(100))
"""0, .01, ..., .99."""

FIXED = 0.2
"""The threshold that is fixed beforehand: that of Zhou et al. 2016, arXiv 1512.04150, section 3.2."""
