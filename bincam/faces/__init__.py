"""Generated faces: 40 controllable attributes with exact ground-truth masks.

Public names are loaded on first use, so that importing the package costs no numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.faces.pairs import counterfactual as counterfactual
    from bincam.faces.pairs import influence as influence
    from bincam.faces.pairs import pair as pair
    from bincam.faces.regions import measured_regions as measured_regions
    from bincam.faces.spec import ATTRIBUTES as ATTRIBUTES
    from bincam.faces.spec import FaceSpec as FaceSpec
    from bincam.faces.tables import specs as specs
    from bincam.faces.writer import make as make

_NAMES = {
    "ATTRIBUTES": "spec",
    "FaceSpec": "spec",
    "counterfactual": "pairs",
    "influence": "pairs",
    "make": "writer",
    "measured_regions": "regions",
    "pair": "pairs",
    "specs": "tables",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
