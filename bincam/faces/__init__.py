"""Generated faces: 40 controllable attributes with exact ground-truth masks.

Public names are loaded on first use, so that importing the package costs no numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.faces.counterfactuals.pairs import counterfactual as counterfactual
    from bincam.faces.counterfactuals.pairs import influence as influence
    from bincam.faces.counterfactuals.pairs import pair as pair
    from bincam.faces.counterfactuals.regions import measured_regions as measured_regions
    from bincam.faces.dataset.label_files import specs as specs
    from bincam.faces.dataset.writer import make as make
    from bincam.faces.labels.spec import ATTRIBUTES as ATTRIBUTES
    from bincam.faces.labels.spec import FaceSpec as FaceSpec

_NAMES = {
    "ATTRIBUTES": "labels.spec",
    "FaceSpec": "labels.spec",
    "counterfactual": "counterfactuals.pairs",
    "influence": "counterfactuals.pairs",
    "make": "dataset.writer",
    "measured_regions": "counterfactuals.regions",
    "pair": "counterfactuals.pairs",
    "specs": "dataset.label_files",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
