"""Generated faces: 40 controllable attributes with exact ground-truth masks.

A face follows wholly from its :class:`FaceSpec`. :func:`make` writes a data set, :func:`specs` reads back what its
images were drawn from, :func:`counterfactual` flips one attribute, and :func:`influence` marks the pixels that change.
Public names are loaded on first use, so that importing the package costs no numba.

>>> import bincam.faces
>>> len(bincam.faces.ATTRIBUTES)
40
>>> bincam.faces.influence(7, "Smiling", size=(64, 80)).shape
(80, 64)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.faces.counterfactuals.pairs import counterfactual as counterfactual
    from bincam.faces.counterfactuals.pairs import influence as influence
    from bincam.faces.counterfactuals.pairs import pair as pair
    from bincam.faces.counterfactuals.regions import measured_regions as measured_regions
    from bincam.faces.dataset.classes import AGES as AGES
    from bincam.faces.dataset.classes import HAIR_CLASSES as HAIR_CLASSES
    from bincam.faces.dataset.classes import write_classes as write_classes
    from bincam.faces.dataset.label_files import specs as specs
    from bincam.faces.dataset.writer import make as make
    from bincam.faces.labels.spec import ATTRIBUTES as ATTRIBUTES
    from bincam.faces.labels.spec import FaceSpec as FaceSpec

_NAMES = {
    "AGES": "dataset.classes",
    "ATTRIBUTES": "labels.spec",
    "FaceSpec": "labels.spec",
    "HAIR_CLASSES": "dataset.classes",
    "counterfactual": "counterfactuals.pairs",
    "influence": "counterfactuals.pairs",
    "make": "dataset.writer",
    "measured_regions": "counterfactuals.regions",
    "pair": "counterfactuals.pairs",
    "specs": "dataset.label_files",
    "write_classes": "dataset.classes",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
