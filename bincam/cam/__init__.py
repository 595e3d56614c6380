"""Evidence maps: targets, methods, the explainer, the ledger and the bridge to pytorch-grad-cam."""

from bincam.cam.decompose import Decomposition, decompose
from bincam.cam.engine import Explainer
from bincam.cam.explanation import Explanation
from bincam.cam.ledger import Ledger, ledger
from bincam.cam.maps.bridge import BRIDGED, Bridged
from bincam.cam.maps.methods import METHODS, Method
from bincam.cam.maps.smoothing import flips, smooth
from bincam.cam.prediction_grid.grid import PredictionGrid
from bincam.cam.reference import Reference
from bincam.cam.requests.targets import Side, Target, sides, target, targets
from bincam.cam.views.laying import lay_back
from bincam.cam.views.placed import PlacedViews

__all__ = [
    "BRIDGED",
    "METHODS",
    "Bridged",
    "Decomposition",
    "Explainer",
    "Explanation",
    "Ledger",
    "Method",
    "PlacedViews",
    "PredictionGrid",
    "Reference",
    "Side",
    "Target",
    "decompose",
    "flips",
    "lay_back",
    "ledger",
    "sides",
    "smooth",
    "target",
    "targets",
]
