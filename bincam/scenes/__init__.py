"""Generated scenes of three to five shapes, with exact masks and boxes, and labels of known ambiguity.

:func:`make` writes a data set, :func:`draw` returns scenes in memory, :func:`redraw_labels` draws single labels anew.
Public names are loaded on first use, so that importing the package costs no numba.

>>> import bincam.scenes
>>> len(bincam.scenes.SHAPES)
10
>>> bincam.scenes.draw(2, seed=7).images.shape
(2, 96, 96, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.scenes.dataset.writer import make as make
    from bincam.scenes.drawing.shapes import SHAPES as SHAPES
    from bincam.scenes.labels.ambiguity import best_average_k_accuracy as best_average_k_accuracy
    from bincam.scenes.labels.ambiguity import best_top_k_accuracy as best_top_k_accuracy
    from bincam.scenes.labels.rules import best_accuracy as best_accuracy
    from bincam.scenes.labels.rules import redraw_labels as redraw_labels
    from bincam.scenes.sampler import Scenes as Scenes
    from bincam.scenes.sampler import draw as draw

_NAMES = {
    "SHAPES": "drawing.shapes",
    "Scenes": "sampler",
    "best_accuracy": "labels.rules",
    "best_average_k_accuracy": "labels.ambiguity",
    "best_top_k_accuracy": "labels.ambiguity",
    "draw": "sampler",
    "make": "dataset.writer",
    "redraw_labels": "labels.rules",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
