"""Generated faces: 40 controllable attributes with exact ground-truth masks.

Public names are loaded on first use.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bincam.faces.influence import counterfactual as counterfactual
    from bincam.faces.influence import pair as pair
    from bincam.faces.sampler import Sampler as Sampler
    from bincam.faces.spec import ATTRIBUTES as ATTRIBUTES
    from bincam.faces.spec import FaceSpec as FaceSpec
